/** Milliseconds since the epoch, UTC. Injected wherever time decides, so that tests can hold it still. */
export type Clock = () => number;

/** Milliseconds of the longest timer that Node has, 24.8 days. It fires a longer one at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

export const toInstant = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Starts a stopwatch. Gives the function that reads it, in milliseconds: it goes on evenly when the machine's clock is set. */
export function startStopwatch(): () => number {
  const began = performance.now();
  return () => performance.now() - began;
}

/** Calls `run` once after so many milliseconds. Gives the function that prevents it. */
export function callAfter(milliseconds: number, run: () => void): () => void {
  if (milliseconds > LONGEST_TIMER) return () => undefined;
  const timer = setTimeout(run, Math.max(0, milliseconds));
  return () => clearTimeout(timer);
}

/** Calls `run` again and again, each time after so many milliseconds. Gives the function that ends it. */
export function callEvery(milliseconds: number, run: () => void): () => void {
  const timer = setInterval(run, milliseconds);
  return () => clearInterval(timer);
}

/** A signal that aborts after so many milliseconds. */
export const timeLimit = (milliseconds: number): AbortSignal => AbortSignal.timeout(milliseconds);

/** Waits so many milliseconds. Rejects with the signal's reason when it aborts before. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = callAfter(milliseconds, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop);
  });
}

/** Resolves as the work does, or with `late` when that takes longer than so many milliseconds. The work is not stopped. */
export async function withPatience<T, L>(milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  let cancel: (() => void) | undefined;
  const patience = new Promise<L>((resolve) => {
    cancel = callAfter(milliseconds, () => resolve(late));
  });
  return Promise.race([work, patience]).finally(cancel);
}

/** Waits about `base * 2^attempt` ms, fully jittered (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). */
export function backOff(attempt: number, base = 20, cap = 2000): Promise<void> {
  return sleep(Math.random() * Math.min(cap, base * 2 ** attempt));
}

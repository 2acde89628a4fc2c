/** Returns milliseconds since the epoch. Injected where behaviour depends on the time, so that tests can set it. */
export type Clock = () => number;

/** Milliseconds of Node's longest timer, 24.8 days. Node fires a longer timer at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

export function toInstant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Starts a stopwatch, and returns the function that reads it in milliseconds. Changes of the machine's clock do not affect it. */
export function startStopwatch(): () => number {
  const began = performance.now();
  return () => performance.now() - began;
}

/** Calls `run` once after a time. Returns a function that cancels the call. */
export function callAfter(milliseconds: number, run: () => void): () => void {
  if (milliseconds > LONGEST_TIMER) return () => undefined;
  const timer = setTimeout(run, Math.max(0, milliseconds));
  return () => clearTimeout(timer);
}

/** Calls `run` at each interval. Returns a function that ends this. */
export function callEvery(milliseconds: number, run: () => void): () => void {
  const timer = setInterval(run, milliseconds);
  return () => clearInterval(timer);
}

/** Returns a signal that aborts after a time. */
export function timeLimit(milliseconds: number): AbortSignal {
  return AbortSignal.timeout(milliseconds);
}

/** Waits. Rejects with the signal's reason if it aborts first. */
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

/** Resolves with the result of the work, or with `late` if the time is over first. It does not stop the work. */
export async function withPatience<T, L>(milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  let cancel: (() => void) | undefined;
  const patience = new Promise<L>((resolve) => {
    cancel = callAfter(milliseconds, () => resolve(late));
  });
  return Promise.race([work, patience]).finally(cancel);
}

/** Waits up to `base * 2^attempt` milliseconds, with full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). */
export function backOff(attempt: number, base = 20, cap = 2000): Promise<void> {
  return sleep(Math.random() * Math.min(cap, base * 2 ** attempt));
}

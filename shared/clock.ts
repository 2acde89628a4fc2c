/** Milliseconds since the epoch, UTC. Injected wherever time decides, so that tests can hold it still. */
export type Clock = () => number;

export const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

export const toInstant = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Waits about `base * 2^attempt` ms, fully jittered (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). */
export function backOff(attempt: number, base = 20, cap = 2000): Promise<void> {
  const wait = Math.random() * Math.min(cap, base * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, wait));
}

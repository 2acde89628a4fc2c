/** How often a request is repeated, and after which waits. Times are in milliseconds. */
export interface RetryPolicy {
  attempts: number;
  baseMs: number;
  /** The longest wait that the server has not asked for. */
  capMs: number;
  /** The longest wait that the server may ask for. */
  maxRetryAfterMs: number;
  /** The longest time to wait for an answer. */
  timeoutMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 7,
  baseMs: 250,
  capMs: 15_000,
  maxRetryAfterMs: 120_000,
  timeoutMs: 60_000,
};

/**
 * The wait before the next attempt: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), plus the wait that the server asks for.
 * @param attempt the attempts made so far, 1 or more.
 * @param asked milliseconds that the server asks for.
 */
export function waitBefore(attempt: number, policy: RetryPolicy, asked: number): number {
  const jitter = Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return Math.min(asked, policy.maxRetryAfterMs) + jitter;
}

/**
 * The wait that the server asks for in `Retry-After`, 0 if it does not. A date is compared with the answer's own `Date`, because the
 * server's clock may differ from this machine's.
 */
export function retryAfterOf(headers: Headers): number {
  const retryAfter = headers.get("retry-after");
  if (retryAfter === null) return 0;
  const seconds = Number(retryAfter);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.parse(headers.get("date") ?? "") : seconds * 1000;
  return Number.isNaN(asked) ? 0 : Math.max(0, asked);
}

/** How often and how patiently a request is repeated. Times are in milliseconds. */
export interface RetryPolicy {
  attempts: number;
  baseMs: number;
  /** No wait is longer, except one that the server asks for. */
  capMs: number;
  /** No wait is longer than this, even if the server asks for it. */
  maxRetryAfterMs: number;
  /** An answer takes this long at most. */
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
 * How long to wait before the next attempt: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), on top of what the server asks for.
 * @param attempt the attempts made so far, 1 or more.
 * @param asked milliseconds that the server asks for.
 */
export function waitBefore(attempt: number, policy: RetryPolicy, asked: number): number {
  const jitter = Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return Math.min(asked, policy.maxRetryAfterMs) + jitter;
}

/**
 * How long the server asks to wait, 0 if it does not. A date is compared with the answer's own `Date`: the server's clock may differ from
 * this machine's.
 */
export function retryAfterOf(headers: Headers): number {
  const retryAfter = headers.get("retry-after");
  if (retryAfter === null) return 0;
  const seconds = Number(retryAfter);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.parse(headers.get("date") ?? "") : seconds * 1000;
  return Number.isNaN(asked) ? 0 : Math.max(0, asked);
}

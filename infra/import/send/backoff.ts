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
 * @param retryAfter the header's value: seconds or an HTTP date.
 */
export function waitBefore(attempt: number, policy: RetryPolicy, retryAfter: string | null): number {
  const jitter = Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  if (retryAfter === null) return jitter;
  const seconds = Number(retryAfter);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : seconds * 1000;
  return asked > 0 ? Math.min(asked, policy.maxRetryAfterMs) + jitter : jitter;
}

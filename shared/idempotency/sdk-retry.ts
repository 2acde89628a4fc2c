import { sha256 } from "../hash.ts";
import type { Repeatable } from "./attempt.ts";

/** Seconds in which a retry belongs to the first request. */
const SAME_REQUEST = 600;

/**
 * Milliseconds in which a live attempt has stored its question. From then on the session says whether the turn runs. Short, so that an
 * SDK's second retry takes over when the first function died before that.
 */
const OPENING = 8000;

/**
 * Makes the retries of OpenAI's SDK repeats of its first request. The SDK sends no `Idempotency-Key`, but counts its retries in the
 * header `X-Stainless-Retry-Count`. The key is a hash of the request and `context`, the headers that change its meaning. Changes nothing
 * for a request with a key of its own and for other clients, which pay no write for this.
 */
export function withSdkRetries(
  repeatable: Repeatable,
  retryCount: string | undefined,
  context: string | undefined,
): Repeatable {
  if (repeatable.key !== undefined || !/^\d{1,9}$/.test(retryCount ?? "")) return repeatable;
  const request = [...repeatable.request, context ?? null];
  return {
    ...repeatable,
    key: `sdk-retry:${sha256(JSON.stringify(request))}`,
    request,
    remaining: Math.min(repeatable.remaining, OPENING),
    seconds: SAME_REQUEST,
    isNew: Number(retryCount) === 0,
  };
}

import { sha256 } from "../hash.ts";
import type { Repeatable } from "./attempt.ts";

/** Seconds after the first request in which a retry belongs to it. */
const SAME_REQUEST = 600;

/**
 * Milliseconds for which the claim of an attempt is valid. By then the attempt has stored its question, and the session shows whether the
 * turn runs. If its function was killed before, the second retry of the SDK can take over.
 */
const OPENING = 8000;

/**
 * Treats retries of OpenAI's SDK as repeats of its first request. The SDK sends no `Idempotency-Key`, but counts its retries in the header
 * `X-Stainless-Retry-Count`. So the key is a hash of the request and of `context`, the headers that change its meaning. A request with an
 * `Idempotency-Key`, or of another client, is returned unchanged and costs no write.
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

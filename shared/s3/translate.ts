import { AppError } from "../errors.ts";

/** The HTTP status of an SDK error; `undefined` when S3 did not answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/**
 * Translates an SDK error: `unavailable` when a retry may succeed, `internal` otherwise. `store` names the content of the bucket, such as
 * "archive". This file imports no SDK, because the archive loads the SDK only when it is used.
 */
export function translate(error: unknown, store: string): AppError {
  // This is an error of the source of an upload, not of S3.
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  return status === undefined || status >= 500 || status === 429
    ? new AppError("unavailable", `the ${store} does not answer`, { cause: error, retryAfter: 1 })
    : new AppError("internal", `the ${store} refused a call`, { cause: error });
}

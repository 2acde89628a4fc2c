import type { IncomingHttpHeaders } from "node:http";

/**
 * Returns why a request cannot come from an AWS SDK or the AWS CLI; undefined when it can. This keeps web pages out: a page may send a
 * POST to loopback, but always with an `origin`, and with an `authorization` header only after a preflight. The signature itself is
 * not checked, because every local program may call.
 */
export function unsignedReason({ authorization, origin }: IncomingHttpHeaders): string | undefined {
  if (origin !== undefined) return "Pages in a browser may not call this endpoint";
  if (authorization?.startsWith("AWS4-HMAC-SHA256 ")) return undefined;
  return "The request has no AWS signature in its Authorization header (any credentials will do)";
}

import type { IncomingHttpHeaders } from "node:http";

/**
 * Why a request cannot come from an AWS SDK or CLI; undefined when it can. Every page that a browser shows may send a POST to
 * loopback, but not with an `authorization` header unless a preflight allows it, and never without an `origin`. The signature
 * itself is not checked: every local program may call.
 */
export function unsignedReason({ authorization, origin }: IncomingHttpHeaders): string | undefined {
  if (origin !== undefined) return "Pages in a browser may not call this endpoint";
  if (authorization?.startsWith("AWS4-HMAC-SHA256 ")) return undefined;
  return "The request has no AWS signature in its Authorization header (any credentials will do)";
}

import { httpDate, matchesEtag, preconditionFailed, type StoredObject, type WriteConditions } from "./objects.ts";
import type { S3Request } from "./request.ts";
import { notImplemented, S3Error } from "./s3-error.ts";

/**
 * Checks `If-Match` and `If-None-Match` of a read. Throws PreconditionFailed, or NotModified when the client has the
 * object already.
 */
export function checkRead(request: S3Request, object: StoredObject): void {
  const ifMatch = request.header("if-match");
  if (ifMatch !== undefined && !matchesEtag(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch === undefined || !matchesEtag(ifNoneMatch, object.etag)) return;
  throw new S3Error("NotModified", "Not Modified", {
    etag: `"${object.etag}"`,
    "last-modified": httpDate(object.modified),
  });
}

/** Reads `If-Match` and `If-None-Match` of a write. Throws NotImplemented for an ETag in `If-None-Match`, as S3 does. */
export function writeConditions(request: S3Request): WriteConditions {
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") throw notImplemented("If-None-Match with an ETag on a write");
  return { ifMatch: request.header("if-match"), ifNoneMatch };
}

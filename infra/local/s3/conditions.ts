import { notImplemented, S3Error } from "./error.ts";
import { matchesEtag, preconditionFailed, type StoredObject, type WriteConditions } from "./objects.ts";
import type { S3Request } from "./request.ts";

/**
 * Evaluates the conditional headers of a read (RFC 9110, 13.2.2), or with `prefix` those of a copy's source. Throws
 * PreconditionFailed, or NotModified for a GET or HEAD of what the client has already.
 */
export function checkRead(request: S3Request, object: StoredObject, prefix = ""): void {
  const header = (name: string): string | undefined => request.header(`${prefix}${name}`);
  const seconds = Math.floor(object.modified / 1000) * 1000;
  const [ifMatch, unmodifiedSince] = [header("if-match"), readDate(header("if-unmodified-since"))];
  if (ifMatch !== undefined) {
    if (!matchesEtag(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  } else if (unmodifiedSince !== undefined && seconds > unmodifiedSince) {
    throw preconditionFailed("If-Unmodified-Since");
  }
  const [ifNoneMatch, modifiedSince] = [header("if-none-match"), readDate(header("if-modified-since"))];
  const same =
    ifNoneMatch !== undefined
      ? matchesEtag(ifNoneMatch, object.etag)
      : modifiedSince !== undefined && seconds <= modifiedSince;
  if (!same) return;
  // A copy has nothing to be "not modified" for.
  if (prefix) throw preconditionFailed(ifNoneMatch === undefined ? "If-Modified-Since" : "If-None-Match");
  throw new S3Error("NotModified", "Not Modified", {
    headers: { etag: `"${object.etag}"`, "last-modified": new Date(seconds).toUTCString() },
  });
}

/** Reads the conditional headers of a write. Throws NotImplemented for what S3 does not take there either. */
export function writeConditions(request: S3Request): WriteConditions {
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") throw notImplemented("If-None-Match with an ETag on a write");
  for (const name of ["if-modified-since", "if-unmodified-since"]) {
    if (request.header(name) !== undefined) throw notImplemented(`${name} on a write`);
  }
  return { ifMatch: request.header("if-match"), ifNoneMatch };
}

function readDate(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

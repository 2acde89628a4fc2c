import type { Span } from "../blobs.ts";
import { checksumHeaders } from "../checksum.ts";
import type { Store } from "../object-store.ts";
import { findObject, httpDate, matchesEtag, preconditionFailed, type StoredObject, versionHeader } from "../objects.ts";
import type { S3Request } from "../request.ts";
import type { Operation } from "../route.ts";
import { S3Error } from "../s3-error.ts";

/** Query parameters, used in presigned URLs, that replace a header of the response. */
export const responseHeaders: ReadonlyMap<string, string> = new Map(
  ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"].map(
    (name) => [`response-${name}`, name],
  ),
);

/** GetObject. */
export const getObject: Operation = async (store, request) => {
  const { object, span, status, headers } = openObject(store, request);
  const body = span.to > span.from ? await store.blobs.read(object.parts, span) : "";
  return { status, headers, body };
};

/** HeadObject. */
export const headObject: Operation = async (store, request) => {
  const { status, headers } = openObject(store, request);
  return { status, headers };
};

interface Opened {
  object: StoredObject;
  span: Span;
  status: 200 | 206;
  headers: Record<string, string | undefined>;
}

function openObject(store: Store, request: S3Request): Opened {
  const object = findObject(store, request);
  checkRead(request, object);
  const range = readRange(request.header("range"), object.size);
  const span = range ?? { from: 0, to: object.size };
  const wantsChecksum = request.header("x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && !range;
  const user = Object.entries(object.metadata.user).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  const replaced = [...responseHeaders].map(([parameter, name]) => [name, request.query.get(parameter)] as const);
  const headers = {
    ...object.metadata.headers,
    ...Object.fromEntries(replaced.filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(user),
    ...versionHeader(store, request.bucket ?? "", object.version),
    ...(wantsChecksum ? checksumHeaders(object.metadata.checksum) : {}),
    "accept-ranges": "bytes",
    "content-length": String(span.to - span.from),
    "content-range": range && `bytes ${span.from}-${span.to - 1}/${object.size}`,
    etag: `"${object.etag}"`,
    "last-modified": httpDate(object.modified),
    "x-amz-storage-class": object.storageClass === "STANDARD" ? undefined : object.storageClass,
    "x-amz-tagging-count": object.tags.length > 0 ? String(object.tags.length) : undefined,
  };
  return { object, span, status: range ? 206 : 200, headers };
}

/**
 * The bytes that a `Range` header names; `undefined` = the whole object, which is S3's answer to several ranges and to
 * an invalid header. Throws InvalidRange when the object has none of these bytes.
 */
function readRange(header: string | undefined, size: number): Span | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  if (from < size) return { from, to };
  throw new S3Error("InvalidRange", `The object has ${size} bytes, but the range is ${header}.`, {
    "content-range": `bytes */${size}`,
  });
}

/** Checks `If-Match` and `If-None-Match`. Throws PreconditionFailed, or NotModified when the client has the object already. */
function checkRead(request: S3Request, object: StoredObject): void {
  const ifMatch = request.header("if-match");
  if (ifMatch !== undefined && !matchesEtag(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch === undefined || !matchesEtag(ifNoneMatch, object.etag)) return;
  throw new S3Error("NotModified", "Not Modified", {
    etag: `"${object.etag}"`,
    "last-modified": httpDate(object.modified),
  });
}

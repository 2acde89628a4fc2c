import type { Span } from "../blobs.ts";
import { versioningOf } from "../buckets.ts";
import { checksumElement, checksumHeaders } from "../checksum.ts";
import { checkRead } from "../conditions.ts";
import { S3Error } from "../error.ts";
import { findObject, httpDate } from "../find-object.ts";
import type { StoredObject } from "../objects.ts";
import type { Operation } from "../operation.ts";
import { readRange } from "../range.ts";
import type { S3Request } from "../request.ts";
import type { Store } from "../store.ts";
import { renderXml, type XmlChild } from "../xml.ts";

/** GetObject. */
export const getObject: Operation = async (store, request) => {
  const { object, span, status, headers } = openObject(store, request);
  if (["GLACIER", "DEEP_ARCHIVE"].includes(object.storageClass)) {
    throw new S3Error("InvalidObjectState", "The operation is not valid for the object's storage class", {
      elements: { StorageClass: object.storageClass },
    });
  }
  const body = span.to > span.from ? await store.blobs.read(object.parts, span) : "";
  return { status, headers, body };
};

/** HeadObject. */
export const headObject: Operation = async (store, request) => {
  const { status, headers } = openObject(store, request);
  return { status, headers };
};

/** GetObjectAttributes. */
export const getObjectAttributes: Operation = async (store, request) => {
  const object = findObject(store, request);
  const wanted = (request.header("x-amz-object-attributes") ?? "").split(",").map((name) => name.trim());
  const { checksum } = object.metadata;
  const parts: XmlChild[] = object.metadata.multipart ? [["PartsCount", object.parts.length]] : [];
  const all: Record<string, XmlChild[]> = {
    ETag: [["ETag", object.etag]],
    Checksum: checksum
      ? [
          [
            "Checksum",
            [
              [checksumElement(checksum.algorithm), checksum.value],
              ["ChecksumType", checksum.type],
            ],
          ],
        ]
      : [],
    ObjectParts: parts.length > 0 ? [["ObjectParts", parts]] : [],
    StorageClass: [["StorageClass", object.storageClass]],
    ObjectSize: [["ObjectSize", object.size]],
  };
  return {
    status: 200,
    headers: { ...versionHeader(store, request, object), "last-modified": httpDate(object.modified) },
    body: renderXml(
      "GetObjectAttributesResponse",
      wanted.flatMap((name) => all[name] ?? []),
    ),
  };
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
  const part = partSpan(request, object);
  const range = part ?? readRange(request.header("range"), object.size);
  const span = range ?? { from: 0, to: object.size };
  const checksum = request.header("x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && !range;
  const user = Object.entries(object.metadata.user).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  const headers = {
    ...object.metadata.headers,
    ...overrides(request),
    ...Object.fromEntries(user),
    ...versionHeader(store, request, object),
    ...(checksum ? checksumHeaders(object.metadata.checksum) : {}),
    "accept-ranges": "bytes",
    "content-length": String(span.to - span.from),
    "content-range": range && `bytes ${span.from}-${span.to - 1}/${object.size}`,
    etag: `"${object.etag}"`,
    "last-modified": httpDate(object.modified),
    "x-amz-mp-parts-count": part && object.metadata.multipart ? String(object.parts.length) : undefined,
    "x-amz-storage-class": object.storageClass === "STANDARD" ? undefined : object.storageClass,
    "x-amz-tagging-count": object.tags.length > 0 ? String(object.tags.length) : undefined,
  };
  return { object, span, status: range ? 206 : 200, headers };
}

function partSpan(request: S3Request, object: StoredObject): Span | undefined {
  const text = request.query.get("partNumber");
  if (text === undefined) return undefined;
  const part = object.parts[Number(text) - 1];
  if (!part || request.header("range") !== undefined) {
    throw new S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable");
  }
  const from = object.parts.slice(0, Number(text) - 1).reduce((sum, { size }) => sum + size, 0);
  return part.size === 0 ? undefined : { from, to: from + part.size };
}

/** `response-content-type=…` and its like, which presigned URLs use. */
function overrides({ query }: S3Request): Record<string, string> {
  const names = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
  ];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = query.get(`response-${name}`);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function versionHeader(store: Store, { bucket = "" }: S3Request, object: StoredObject): Record<string, string> {
  return versioningOf(store, bucket) ? { "x-amz-version-id": object.version } : {};
}

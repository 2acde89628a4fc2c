import { z } from "zod";
import type { Span } from "./blobs.ts";
import { type Body, checksumHeaders, type Digests, digesting, openBody, readDocument } from "./body.ts";
import { isoDate, NULL_VERSION } from "./bucket-operations.ts";
import { checkDelete } from "./check-request.ts";
import type { Store } from "./object-store.ts";
import {
  deleteObject as deleteKey,
  findObject,
  insertObject,
  type Metadata,
  matchesEtag,
  preconditionFailed,
  requireBucket,
  setMetadata,
  writeConditions,
} from "./objects.ts";
import type { Operation } from "./operation.ts";
import { checkKey, decode, type S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";
import { parseXml, renderXml } from "./xml.ts";

/** The largest user metadata of an object, in bytes: names and values. */
const MAX_USER_METADATA = 2048;
/** The most keys of one DeleteObjects, and the most tags of one object. */
const MAX_KEYS = 1000;
const MAX_TAGS = 10;

/** Headers that S3 stores with an object. In presigned URLs, query parameters like `response-content-type` replace them. */
const systemHeaders = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
];
export const responseHeaders = systemHeaders.map((name) => `response-${name}`);

export const getObject: Operation = async (store, request) => {
  const { bucket, key, query } = request;
  const object = findObject(store, bucket, key);
  if ((query.get("versionId") ?? NULL_VERSION) !== NULL_VERSION) {
    throw new S3Error("NoSuchVersion", "The specified version does not exist.");
  }
  const { headers, user, checksum, tags = [] } = object.metadata;
  const found = { etag: `"${object.etag}"`, "last-modified": new Date(object.modified).toUTCString() };
  const ifMatch = request.header("if-match");
  if (ifMatch !== undefined && !matchesEtag(ifMatch, object.etag)) throw preconditionFailed("If-Match");
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch !== undefined && matchesEtag(ifNoneMatch, object.etag)) {
    throw new S3Error("NotModified", "Not Modified", found);
  }
  const range = readRange(request.header("range"), object.size);
  const { from, to } = range ?? { from: 0, to: object.size };
  const wantsChecksum = request.header("x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && !range;
  const replaced = systemHeaders.map((name) => [name, query.get(`response-${name}`)] as const);
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      ...Object.fromEntries(replaced.filter(([, value]) => value !== undefined)),
      ...Object.fromEntries(Object.entries(user).map(([name, value]) => [`x-amz-meta-${name}`, value])),
      ...(wantsChecksum && checksumHeaders(checksum)),
      ...found,
      "accept-ranges": "bytes",
      "content-length": String(to - from),
      "content-range": range && `bytes ${from}-${to - 1}/${object.size}`,
      "x-amz-tagging-count": tags.length > 0 ? String(tags.length) : undefined,
    },
    body: to > from && request.method === "GET" ? store.blobs.read(object.parts, { from, to }) : "",
  };
};

/** The object becomes visible when its last byte and its metadata are on the disk. */
export const putObject: Operation = async (store, request, signed) => {
  requireBucket(store, request.bucket);
  const { md5, checksum } = await storeObject(store, openBody(request, signed), request, readMetadata(request));
  return { status: 200, headers: { etag: `"${md5}"`, ...checksumHeaders(checksum) } };
};

/** Copies the content to a new file. */
export const copyObject: Operation = async (store, request) => {
  requireBucket(store, request.bucket);
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/.exec(request.header("x-amz-copy-source") ?? "") ?? [];
  if (bucket === undefined || key === undefined) {
    throw new S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey");
  }
  const source = findObject(store, bucket, decode(key));
  const { metadata } = source;
  const content = store.blobs.read(source.parts, { from: 0, to: source.size });
  const stream = Buffer.isBuffer(content) ? once(content) : content;
  const { md5 } = await storeObject(store, digesting(stream, metadata.checksum?.algorithm), request, metadata);
  return {
    status: 200,
    body: renderXml("CopyObjectResult", { ETag: `"${md5}"`, LastModified: isoDate(store.now()) }),
  };
};

export const deleteObject: Operation = async (store, request) => {
  const { bucket, key } = request;
  requireBucket(store, bucket);
  await store.commit((free) => deleteKey(store, free, bucket, key, request.header("if-match")));
  return { status: 204 };
};

/** Deletes the only version. As S3 does, it answers 204 also when there is no such version. */
export const deleteObjectVersion: Operation = async (store, { bucket, key, query }) => {
  requireBucket(store, bucket);
  if (query.get("versionId") === NULL_VERSION) await store.commit((free) => deleteKey(store, free, bucket, key));
  return { status: 204 };
};

const deletion = z.strictObject({
  Object: z.array(z.strictObject({ Key: z.string().min(1), ETag: z.string().optional() })).max(MAX_KEYS),
  Quiet: z.enum(["true", "false"]).optional(),
});

/** The answer has one result per key. */
export const deleteObjects: Operation = async (store, request, signed, access) => {
  const { bucket } = request;
  requireBucket(store, bucket);
  const { Object: objects, Quiet } = parseXml(await readDocument(request, signed), "Delete", deletion);
  const results = await store.commit((free) =>
    objects.map(({ Key, ETag }) => {
      try {
        checkKey(Key);
        if (access) checkDelete(access, signed.accessKeyId, bucket, Key);
        deleteKey(store, free, bucket, Key, ETag);
        return { Deleted: { Key } };
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
        return { Error: { Key, Code: error.code, Message: error.message } };
      }
    }),
  );
  const Deleted = Quiet === "true" ? [] : results.flatMap((result) => result.Deleted ?? []);
  const errors = results.flatMap((result) => result.Error ?? []);
  return { status: 200, body: renderXml("DeleteResult", { Deleted, Error: errors }) };
};

export const getObjectTagging: Operation = async (store, { bucket, key }) => {
  const { tags: Tag = [] } = findObject(store, bucket, key).metadata;
  return { status: 200, body: renderXml("Tagging", { TagSet: { Tag: [...Tag] as { Key: string; Value: string }[] } }) };
};

const tagging = z.strictObject({
  // The XML parser reads an element without content as an empty text.
  TagSet: z.preprocess(
    (value) => value || {},
    z.strictObject({ Tag: z.array(z.strictObject({ Key: z.string().min(1), Value: z.string() })).default([]) }),
  ),
});

export const putObjectTagging: Operation = async (store, request, signed) => {
  const { bucket, key } = request;
  const { Tag: tags } = parseXml(await readDocument(request, signed), "Tagging", tagging).TagSet;
  if (tags.length > MAX_TAGS || new Set(tags.map(({ Key }) => Key)).size < tags.length) {
    throw new S3Error("InvalidTag", `An object may have ${MAX_TAGS} tags, each with another key.`);
  }
  await store.commit(() => setMetadata(store, bucket, key, { ...findObject(store, bucket, key).metadata, tags }));
  return { status: 200 };
};

/** Reads the metadata of an object from the headers of a PutObject, CopyObject or CreateMultipartUpload. */
export function readMetadata(request: S3Request): Metadata {
  const given = systemHeaders.flatMap((name) => {
    // `aws-chunked` is the encoding of the transfer, not of the object.
    const value = request.header(name)?.replace(/^aws-chunked(?:, *|$)/, "");
    return value ? [[name, value]] : [];
  });
  const user = [...request.headers].flatMap(([name, value]) =>
    name.startsWith("x-amz-meta-") ? [[name.slice("x-amz-meta-".length), value]] : [],
  );
  if (Buffer.byteLength(user.flat().join("")) > MAX_USER_METADATA) {
    throw new S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
  }
  return {
    headers: { "content-type": "binary/octet-stream", ...Object.fromEntries(given) },
    user: Object.fromEntries(user),
  };
}

/** Writes a body to a file and makes it the object of the request's key. Throws PreconditionFailed. */
async function storeObject(store: Store, body: Body, request: S3Request, metadata: Metadata): Promise<Digests> {
  const { bucket, key } = request;
  const conditions = writeConditions(request);
  return storeBody(store, body, async (id, digests) => {
    const { md5, size, checksum } = digests;
    const object = { parts: [{ id, size }], etag: md5, metadata: { ...metadata, checksum } };
    await store.commit((free) => insertObject(store, free, bucket, key, object, conditions));
    return digests;
  });
}

/** Writes a body to a file and passes its id to `keep`. Deletes the file when `keep` throws an S3Error. */
export async function storeBody<T>(
  store: Store,
  body: Body,
  keep: (id: string, digests: Digests) => Promise<T>,
): Promise<T> {
  const id = await store.blobs.write(body.stream);
  try {
    return await keep(id, body.digests());
  } catch (error) {
    // After another error the index may refer to the file. If it does not, the next start deletes the file.
    if (error instanceof S3Error) await store.blobs.remove([{ id, size: 0 }]);
    throw error;
  }
}

/**
 * The bytes that a `Range` header names; `undefined` = the whole object, which is S3's answer to several ranges and to
 * an invalid header. Throws InvalidRange when the object has none of these bytes.
 */
function readRange(header: string | undefined, size: number): Span | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  const from = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (from < size) return { from, to };
  throw new S3Error("InvalidRange", `The object has ${size} bytes, but the range is ${header}.`, {
    "content-range": `bytes */${size}`,
  });
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

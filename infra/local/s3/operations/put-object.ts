import type { Blob } from "../blobs.ts";
import { type Body, type Digests, openBody } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { type Checksum, checksumHeaders } from "../checksum.ts";
import type { Store } from "../object-store.ts";
import { insertObject, type Metadata, type Tag, type WriteConditions } from "../objects.ts";
import { readMetadata } from "../read-metadata.ts";
import type { S3Request } from "../request.ts";
import type { Operation } from "../route.ts";
import { notImplemented, S3Error } from "../s3-error.ts";

/** PutObject. The object becomes visible when its last byte and its metadata are on the disk. */
export const putObject: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const target = { bucket, key: request.key ?? "", metadata: readMetadata(request), tags: [] };
  const conditions = writeConditions(request);
  const { etag, checksum, version } = await storeObject(store, openBody(request, signed), target, conditions);
  return {
    status: 200,
    headers: { etag: `"${etag}"`, "x-amz-version-id": version, ...checksumHeaders(checksum) },
  };
};

interface Target {
  bucket: string;
  key: string;
  metadata: Metadata;
  tags: readonly Tag[];
}

/** Writes a body to a file and makes it the current version of a key. Throws PreconditionFailed. */
export function storeObject(
  store: Store,
  body: Body,
  { bucket, key, metadata, tags }: Target,
  conditions: WriteConditions,
): Promise<{ etag: string; checksum: Checksum | undefined; version: string | undefined }> {
  return storeBody(store, body, async (blob, { md5, checksum }) => {
    const etag = md5.toString("hex");
    const object = { parts: [blob], etag, metadata: { ...metadata, checksum }, tags };
    const { version } = await store.commit((free) => {
      requireBucket(store, bucket);
      return insertObject(store, free, bucket, key, object, conditions);
    });
    return { etag, checksum, version };
  });
}

/** Writes a body to a file and passes it to `keep`. Deletes the file when `keep` throws an S3Error. */
export async function storeBody<T>(
  store: Store,
  body: Body,
  keep: (blob: Blob, digests: Digests) => Promise<T>,
): Promise<T> {
  const blob = await store.blobs.write(body.stream);
  try {
    return await keep(blob, body.digests());
  } catch (error) {
    // After another error the index may refer to the file. If it does not, the next start deletes the file.
    if (error instanceof S3Error) await store.blobs.remove([blob]);
    throw error;
  }
}

/** Reads `If-Match` and `If-None-Match`. Throws NotImplemented for an ETag in `If-None-Match`, as S3 does. */
export function writeConditions(request: S3Request): WriteConditions {
  const ifNoneMatch = request.header("if-none-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") throw notImplemented("If-None-Match with an ETag on a write");
  return { ifMatch: request.header("if-match"), ifNoneMatch };
}

import { readAttributes } from "../attributes.ts";
import type { Blob } from "../blobs.ts";
import { openBody } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { checksumHeaders } from "../checksum.ts";
import { writeConditions } from "../conditions.ts";
import type { Body, Digests } from "../digest.ts";
import { S3Error } from "../error.ts";
import { insertObject } from "../objects.ts";
import type { Operation } from "../operation.ts";
import type { Store } from "../store.ts";

/** PutObject. The object appears whole, with its metadata, when its last byte is on the disk, or not at all. */
export const putObject: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const key = request.key ?? "";
  const attributes = readAttributes(request);
  const conditions = writeConditions(request);
  return storeBody(store, openBody(request, signed), async (blob, { md5, checksum }) => {
    const etag = md5.toString("hex");
    const { version } = await store.commit((free) => {
      requireBucket(store, bucket);
      const metadata = { ...attributes.metadata, checksum };
      return insertObject(store, free, bucket, key, { ...attributes, parts: [blob], etag, metadata }, conditions);
    });
    return {
      status: 200,
      headers: {
        etag: `"${etag}"`,
        "x-amz-version-id": version,
        "x-amz-server-side-encryption": attributes.metadata.headers["x-amz-server-side-encryption"],
        ...checksumHeaders(checksum),
      },
    };
  });
};

/** Writes a body to a blob and hands it to `keep`; when that refuses it, the blob is removed again. */
export async function storeBody<T>(
  store: Store,
  body: Body,
  keep: (blob: Blob, digests: Digests) => Promise<T>,
): Promise<T> {
  const blob = await store.blobs.write(body.stream);
  try {
    return await keep(blob, body.digests());
  } catch (error) {
    // After any other failure the index may refer to the file all the same; if not, the next start removes it.
    if (error instanceof S3Error) await store.blobs.remove([blob]);
    throw error;
  }
}

import type { Span } from "./blobs.ts";
import { requireBucket, versioningOf } from "./buckets.ts";
import type { ChecksumAlgorithm } from "./checksum.ts";
import { checkRead } from "./conditions.ts";
import { type Body, digesting } from "./digest.ts";
import { S3Error } from "./error.ts";
import { findVersion } from "./find-object.ts";
import type { StoredObject } from "./objects.ts";
import type { S3Request } from "./request.ts";
import type { Store } from "./store.ts";

/** Most bytes that one request copies: 5 GiB. */
const MAX_COPY = 5 * 1024 ** 3;

export interface CopySource {
  bucket: string;
  object: StoredObject;
  /** Its version, when its bucket keeps versions. */
  version: string | undefined;
}

/** The object that `x-amz-copy-source` names, if the `x-amz-copy-source-if-…` headers let it pass. */
export function readCopySource(store: Store, request: S3Request): CopySource {
  const header = request.header("x-amz-copy-source") ?? "";
  const [, bucketName, rawKey, version] = /^\/?([^/]+)\/(.+?)(?:\?versionId=(.+))?$/.exec(header) ?? [];
  if (bucketName === undefined || rawKey === undefined) {
    throw new S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey");
  }
  const bucket = requireBucket(store, bucketName);
  const object = findVersion(store, bucket, decodeKey(rawKey), version);
  checkRead(request, object, "x-amz-copy-source-");
  return { bucket, object, version: versioningOf(store, bucket) && object.version };
}

/** Reads an object, or a span of it, as the body of another. */
export async function openCopy(
  store: Store,
  object: StoredObject,
  span: Span,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<Body> {
  if (span.to - span.from > MAX_COPY) {
    throw new S3Error(
      "InvalidRequest",
      "The specified copy source is larger than the maximum allowable size: 5368709120",
    );
  }
  const content = await store.blobs.read(object.parts, span);
  return digesting(Buffer.isBuffer(content) ? once(content) : content, algorithm);
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

function decodeKey(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new S3Error("InvalidArgument", "Invalid copy source encoding.");
  }
}

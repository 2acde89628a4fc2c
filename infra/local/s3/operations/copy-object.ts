import { digesting } from "../body.ts";
import { requireBucket, versioningOf } from "../buckets.ts";
import { checksumElement } from "../checksum.ts";
import type { Store } from "../object-store.ts";
import { findVersion, type StoredObject } from "../objects.ts";
import { readMetadata } from "../read-metadata.ts";
import type { S3Request } from "../request.ts";
import type { Operation } from "../route.ts";
import { S3Error } from "../s3-error.ts";
import { renderXml } from "../xml.ts";
import { isoDate } from "./list-objects.ts";
import { storeObject, writeConditions } from "./put-object.ts";

/** CopyObject. The copy has a file of its own. */
export const copyObject: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const { object, version: sourceVersion } = findSource(store, request);
  const metadata = replacesMetadata(request) ? readMetadata(request) : object.metadata;
  const content = await store.blobs.read(object.parts, { from: 0, to: object.size });
  const body = digesting(Buffer.isBuffer(content) ? once(content) : content, object.metadata.checksum?.algorithm);
  const target = { bucket, key: request.key ?? "", metadata, tags: object.tags };
  const { etag, checksum, version } = await storeObject(store, body, target, writeConditions(request));
  return {
    status: 200,
    headers: { "x-amz-version-id": version, "x-amz-copy-source-version-id": sourceVersion },
    body: renderXml("CopyObjectResult", {
      ETag: `"${etag}"`,
      LastModified: isoDate(store.now()),
      ...(checksum && { [checksumElement(checksum.algorithm)]: checksum.value }),
    }),
  };
};

/** The object that `x-amz-copy-source` names, and its version if its bucket has versioning. */
function findSource(store: Store, request: S3Request): { object: StoredObject; version: string | undefined } {
  const header = request.header("x-amz-copy-source") ?? "";
  const [, name, rawKey, wanted] = /^\/?([^/]+)\/(.+?)(?:\?versionId=(.+))?$/.exec(header) ?? [];
  if (name === undefined || rawKey === undefined) {
    throw new S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey");
  }
  const bucket = requireBucket(store, name);
  const object = findVersion(store, bucket, decodeKey(rawKey), wanted);
  return { object, version: versioningOf(store, bucket) && object.version };
}

function replacesMetadata(request: S3Request): boolean {
  const directive = request.header("x-amz-metadata-directive") ?? "COPY";
  if (directive === "COPY" || directive === "REPLACE") return directive === "REPLACE";
  throw new S3Error("InvalidArgument", `x-amz-metadata-directive must be COPY or REPLACE, not ${directive}.`);
}

function decodeKey(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new S3Error("InvalidArgument", "The key in x-amz-copy-source has an invalid percent-encoding.");
  }
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

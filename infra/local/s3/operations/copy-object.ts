import { type Attributes, readAttributes } from "../attributes.ts";
import { requireBucket } from "../buckets.ts";
import { checksumElement, readAlgorithm } from "../checksum.ts";
import { writeConditions } from "../conditions.ts";
import { type CopySource, openCopy, readCopySource } from "../copy-source.ts";
import { S3Error } from "../error.ts";
import { insertObject } from "../objects.ts";
import type { Operation } from "../operation.ts";
import type { S3Request } from "../request.ts";
import { renderXml } from "../xml.ts";
import { isoDate } from "./list-objects.ts";
import { storeBody } from "./put-object.ts";

/** CopyObject: a full copy, that shares nothing with its source. */
export const copyObject: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const key = request.key ?? "";
  const source = readCopySource(store, request);
  const attributes = copiedAttributes(request, source, bucket);
  const conditions = writeConditions(request);
  const asked = request.header("x-amz-checksum-algorithm");
  const algorithm = asked ? readAlgorithm(asked) : source.object.metadata.checksum?.algorithm;
  const body = await openCopy(store, source.object, { from: 0, to: source.object.size }, algorithm);
  return storeBody(store, body, async (blob, { md5, checksum }) => {
    const etag = md5.toString("hex");
    const metadata = { ...attributes.metadata, checksum };
    const { version } = await store.commit((free) => {
      requireBucket(store, bucket);
      return insertObject(store, free, bucket, key, { ...attributes, parts: [blob], etag, metadata }, conditions);
    });
    return {
      status: 200,
      headers: { "x-amz-version-id": version, "x-amz-copy-source-version-id": source.version },
      body: renderXml("CopyObjectResult", [
        ["ETag", `"${etag}"`],
        ["LastModified", isoDate(store.now())],
        ...(checksum ? [[checksumElement(checksum.algorithm), checksum.value] as const] : []),
      ]),
    };
  });
};

/** Metadata and tags come from the source or from the request, each by its directive. The storage class never copies. */
function copiedAttributes(request: S3Request, { bucket, object }: CopySource, target: string): Attributes {
  const own = readAttributes(request);
  const replaced = directive(request, "x-amz-metadata-directive") === "REPLACE";
  const retagged = directive(request, "x-amz-tagging-directive") === "REPLACE";
  const same = bucket === target && object.key === request.key && object.current;
  if (same && !replaced && own.storageClass === object.storageClass) {
    throw new S3Error(
      "InvalidRequest",
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  const { headers, user } = replaced ? own.metadata : object.metadata;
  return { storageClass: own.storageClass, tags: retagged ? own.tags : [...object.tags], metadata: { headers, user } };
}

function directive(request: S3Request, name: string): "COPY" | "REPLACE" {
  const value = request.header(name) ?? "COPY";
  if (value !== "COPY" && value !== "REPLACE") throw new S3Error("InvalidArgument", `Unknown ${name}: ${value}.`);
  return value;
}

import type { S3Access } from "./access.ts";
import { notImplemented } from "./error.ts";
import {
  createBucket,
  headBucket,
  listBuckets,
  putBucketLifecycle,
  putBucketVersioning,
} from "./operations/configure-bucket.ts";
import { copyObject } from "./operations/copy-object.ts";
import { deleteObject, deleteObjects } from "./operations/delete-object.ts";
import { getObject, headObject, responseHeaders } from "./operations/get-object.ts";
import { listObjectsV2, listObjectVersions } from "./operations/list-objects.ts";
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  listMultipartUploads,
  uploadPart,
} from "./operations/multipart.ts";
import { putObject } from "./operations/put-object.ts";
import { getObjectTagging, putObjectTagging } from "./operations/tagging.ts";
import type { S3Request, S3Response } from "./request.ts";
import type { Signed } from "./signature.ts";
import type { Store } from "./store.ts";

/** Runs one operation of the S3 API. The request's signature and permissions were checked. Throws S3Error. */
export type Operation = (
  store: Store,
  request: S3Request,
  signed: Signed,
  access: S3Access | undefined,
) => Promise<S3Response>;

interface Route {
  /** The name in the S3 API. */
  name: string;
  method: string;
  on: "service" | "bucket" | "object";
  operation: Operation;
  /** The query parameter that selects the operation. */
  query?: string;
  /** Other query parameters that the operation understands. */
  options?: readonly string[];
  /** Whether the request has the header `x-amz-copy-source`. @default false */
  copies?: boolean;
}

const paging = ["prefix", "delimiter", "max-keys", "encoding-type"];
const version = ["versionId"];

const routes: readonly Route[] = [
  { name: "ListBuckets", method: "GET", on: "service", operation: listBuckets },

  { name: "CreateBucket", method: "PUT", on: "bucket", operation: createBucket },
  { name: "HeadBucket", method: "HEAD", on: "bucket", operation: headBucket },
  { name: "PutBucketVersioning", method: "PUT", on: "bucket", query: "versioning", operation: putBucketVersioning },
  {
    name: "PutBucketLifecycleConfiguration",
    method: "PUT",
    on: "bucket",
    query: "lifecycle",
    operation: putBucketLifecycle,
  },
  {
    name: "ListObjectsV2",
    method: "GET",
    on: "bucket",
    query: "list-type",
    options: [...paging, "continuation-token", "start-after"],
    operation: listObjectsV2,
  },
  {
    name: "ListObjectVersions",
    method: "GET",
    on: "bucket",
    query: "versions",
    options: [...paging, "key-marker", "version-id-marker"],
    operation: listObjectVersions,
  },
  {
    name: "ListMultipartUploads",
    method: "GET",
    on: "bucket",
    query: "uploads",
    options: ["prefix", "encoding-type"],
    operation: listMultipartUploads,
  },
  { name: "DeleteObjects", method: "POST", on: "bucket", query: "delete", operation: deleteObjects },

  {
    name: "GetObject",
    method: "GET",
    on: "object",
    options: [...version, ...responseHeaders.keys()],
    operation: getObject,
  },
  { name: "HeadObject", method: "HEAD", on: "object", options: version, operation: headObject },
  { name: "PutObject", method: "PUT", on: "object", operation: putObject },
  { name: "CopyObject", method: "PUT", on: "object", copies: true, operation: copyObject },
  { name: "DeleteObject", method: "DELETE", on: "object", options: version, operation: deleteObject },
  {
    name: "GetObjectTagging",
    method: "GET",
    on: "object",
    query: "tagging",
    options: version,
    operation: getObjectTagging,
  },
  {
    name: "PutObjectTagging",
    method: "PUT",
    on: "object",
    query: "tagging",
    options: version,
    operation: putObjectTagging,
  },

  { name: "CreateMultipartUpload", method: "POST", on: "object", query: "uploads", operation: createMultipartUpload },
  {
    name: "UploadPart",
    method: "PUT",
    on: "object",
    query: "uploadId",
    options: ["partNumber"],
    operation: uploadPart,
  },
  {
    name: "CompleteMultipartUpload",
    method: "POST",
    on: "object",
    query: "uploadId",
    operation: completeMultipartUpload,
  },
  { name: "AbortMultipartUpload", method: "DELETE", on: "object", query: "uploadId", operation: abortMultipartUpload },
];

/** The `x-amz-` headers that this server understands, or may ignore. */
const knownHeaders =
  /^x-amz-(checksum-|content-sha256$|copy-source$|date$|decoded-content-length$|meta-|metadata-directive$|sdk-|security-token$|trailer$|user-agent$)/;
/** Headers of a presigned URL itself. */
const presignHeaders = /^x-amz-(algorithm|credential|expires|signature|signedheaders)$/;
/** Other headers whose effect would be missing. */
const refusedHeaders = ["content-md5", "if-unmodified-since"];

/** Finds the operation of a request. Throws NotImplemented for an operation, query parameter or header that is not supported. */
export function route(request: S3Request): Route {
  const { method, bucket, key, query, headers } = request;
  const on = bucket === undefined ? "service" : key === undefined ? "bucket" : "object";
  const copies = headers.has("x-amz-copy-source");
  // The SDK adds the operation's name as `x-id`.
  const names = [...query.keys()].filter((name) => name !== "x-id" && !/^x-amz-/i.test(name));
  const found = routes.find(
    (candidate) =>
      candidate.method === method &&
      candidate.on === on &&
      (candidate.copies ?? false) === copies &&
      (candidate.query === undefined || names.includes(candidate.query)) &&
      names.every((name) => name === candidate.query || candidate.options?.includes(name)),
  );
  if (!found) {
    const what = names.length > 0 ? `?${names.join("&")} on` : copies ? "with x-amz-copy-source on" : "on";
    throw notImplemented(`${method} ${what} ${on === "object" ? "an" : "a"} ${on}`);
  }
  const refused = [...headers.keys()].find((name) =>
    name.startsWith("x-amz-") ? !knownHeaders.test(name) && !presignHeaders.test(name) : refusedHeaders.includes(name),
  );
  if (refused) throw notImplemented(`the header ${refused}`);
  return found;
}

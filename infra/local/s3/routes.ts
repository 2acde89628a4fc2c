import {
  createBucket,
  headBucket,
  listBuckets,
  listMultipartUploads,
  listObjectsV2,
  listObjectVersions,
  putBucketLifecycle,
  putBucketVersioning,
} from "./bucket-operations.ts";
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  uploadPart,
} from "./multipart-operations.ts";
import {
  copyObject,
  deleteObject,
  deleteObjects,
  deleteObjectVersion,
  getObject,
  getObjectTagging,
  putObject,
  putObjectTagging,
  responseHeaders,
} from "./object-operations.ts";
import type { Route } from "./operation.ts";
import type { S3Request } from "./request.ts";
import { notImplemented } from "./s3-error.ts";

const listing = ["prefix", "delimiter", "max-keys", "continuation-token", "start-after"];

const routes: readonly Route[] = [
  { at: "GET service", name: "ListBuckets", action: "ListAllMyBuckets", operation: listBuckets },

  { at: "PUT bucket", name: "CreateBucket", operation: createBucket },
  { at: "HEAD bucket", name: "HeadBucket", action: "ListBucket", operation: headBucket },
  { at: "PUT bucket?versioning", name: "PutBucketVersioning", operation: putBucketVersioning },
  {
    at: "PUT bucket?lifecycle",
    name: "PutBucketLifecycleConfiguration",
    action: "PutLifecycleConfiguration",
    operation: putBucketLifecycle,
  },
  {
    at: "GET bucket?list-type",
    name: "ListObjectsV2",
    action: "ListBucket",
    operation: listObjectsV2,
    options: listing,
  },
  {
    at: "GET bucket?uploads",
    name: "ListMultipartUploads",
    action: "ListBucketMultipartUploads",
    operation: listMultipartUploads,
    options: ["prefix"],
  },
  {
    at: "GET bucket?versions",
    name: "ListObjectVersions",
    action: "ListBucketVersions",
    operation: listObjectVersions,
    options: ["prefix", "delimiter", "key-marker", "version-id-marker"],
  },
  { at: "POST bucket?delete", name: "DeleteObjects", action: null, operation: deleteObjects },

  { at: "GET object", name: "GetObject", operation: getObject, options: responseHeaders },
  {
    at: "GET object?versionId",
    name: "GetObject",
    action: "GetObjectVersion",
    operation: getObject,
    options: responseHeaders,
  },
  { at: "HEAD object", name: "HeadObject", action: "GetObject", operation: getObject },
  { at: "PUT object", name: "PutObject", operation: putObject },
  { at: "PUT object", name: "CopyObject", action: "PutObject", operation: copyObject, copies: true },
  { at: "DELETE object", name: "DeleteObject", operation: deleteObject },
  {
    at: "DELETE object?versionId",
    name: "DeleteObject",
    action: "DeleteObjectVersion",
    operation: deleteObjectVersion,
  },
  { at: "GET object?tagging", name: "GetObjectTagging", operation: getObjectTagging },
  { at: "PUT object?tagging", name: "PutObjectTagging", operation: putObjectTagging },

  { at: "POST object?uploads", name: "CreateMultipartUpload", action: "PutObject", operation: createMultipartUpload },
  {
    at: "PUT object?uploadId",
    name: "UploadPart",
    action: "PutObject",
    operation: uploadPart,
    options: ["partNumber"],
  },
  {
    at: "POST object?uploadId",
    name: "CompleteMultipartUpload",
    action: "PutObject",
    operation: completeMultipartUpload,
  },
  { at: "DELETE object?uploadId", name: "AbortMultipartUpload", operation: abortMultipartUpload },
];

/** The `x-amz-` headers that this server understands or may ignore. The last five come from presigned URLs. */
const knownHeaders =
  /^x-amz-((checksum-|meta-|sdk-).*|content-sha256|copy-source|date|decoded-content-length|security-token|trailer|user-agent|algorithm|credential|expires|signature|signedheaders)$/;
/** Other headers whose effect would be missing. */
const refusedHeaders = ["content-md5", "if-unmodified-since"];

/** Finds the operation of a request. Throws NotImplemented for an operation, query parameter or header that is not supported. */
export function findRoute(request: S3Request): Route {
  const { method, bucket, key, query, headers } = request;
  const on = bucket === "" ? "service" : key === "" ? "bucket" : "object";
  const copies = headers.has("x-amz-copy-source");
  // The SDK adds the operation's name as `x-id`.
  const names = [...query.keys()].filter((name) => name !== "x-id" && !/^x-amz-/i.test(name));
  const found = routes.find(({ at, options = [], copies: copying = false }) => {
    const [start, selector] = at.split("?");
    if (start !== `${method} ${on}` || copying !== copies) return false;
    const missing = selector !== undefined && !names.includes(selector);
    return !missing && names.every((name) => name === selector || options.includes(name));
  });
  if (!found) {
    const what = names.length > 0 ? `?${names.join("&")} on` : copies ? "with x-amz-copy-source on" : "on";
    throw notImplemented(`${method} ${what} ${on === "object" ? "an" : "a"} ${on}`);
  }
  const refused = [...headers.keys()].find(
    (name) => refusedHeaders.includes(name) || (name.startsWith("x-amz-") && !knownHeaders.test(name)),
  );
  if (refused) throw notImplemented(`the header ${refused}`);
  return found;
}

import type { S3Access } from "./access.ts";
import type { Store } from "./object-store.ts";
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
import { notImplemented } from "./s3-error.ts";
import type { Signed } from "./signature.ts";

/** Runs one operation of the S3 API. The request's signature and permissions were checked. Throws S3Error. */
export type Operation = (
  store: Store,
  request: S3Request,
  signed: Signed,
  access: S3Access | undefined,
) => Promise<S3Response>;

interface Route {
  /** The method, what the path names, and the query parameter that selects the operation: `PUT bucket?versioning`. */
  at: `${string} ${"service" | "bucket" | "object"}${"" | `?${string}`}`;
  /** The name in the S3 API. */
  name: string;
  operation: Operation;
  /** Other query parameters that the operation understands. */
  options?: readonly string[];
  /** Whether the request has the header `x-amz-copy-source`. @default false */
  copies?: boolean;
}

const paging = ["prefix", "delimiter", "max-keys", "encoding-type"];
const pagingV2 = [...paging, "continuation-token", "start-after"];
const pagingVersions = [...paging, "key-marker", "version-id-marker"];
const version = ["versionId"];
const reading = [...version, ...responseHeaders.keys()];

const routes: readonly Route[] = [
  { at: "GET service", name: "ListBuckets", operation: listBuckets },

  { at: "PUT bucket", name: "CreateBucket", operation: createBucket },
  { at: "HEAD bucket", name: "HeadBucket", operation: headBucket },
  { at: "PUT bucket?versioning", name: "PutBucketVersioning", operation: putBucketVersioning },
  { at: "PUT bucket?lifecycle", name: "PutBucketLifecycleConfiguration", operation: putBucketLifecycle },
  { at: "GET bucket?list-type", name: "ListObjectsV2", operation: listObjectsV2, options: pagingV2 },
  { at: "GET bucket?versions", name: "ListObjectVersions", operation: listObjectVersions, options: pagingVersions },
  {
    at: "GET bucket?uploads",
    name: "ListMultipartUploads",
    operation: listMultipartUploads,
    options: ["prefix", "encoding-type"],
  },
  { at: "POST bucket?delete", name: "DeleteObjects", operation: deleteObjects },

  { at: "GET object", name: "GetObject", operation: getObject, options: reading },
  { at: "HEAD object", name: "HeadObject", operation: headObject, options: version },
  { at: "PUT object", name: "PutObject", operation: putObject },
  { at: "PUT object", name: "CopyObject", operation: copyObject, copies: true },
  { at: "DELETE object", name: "DeleteObject", operation: deleteObject, options: version },
  { at: "GET object?tagging", name: "GetObjectTagging", operation: getObjectTagging, options: version },
  { at: "PUT object?tagging", name: "PutObjectTagging", operation: putObjectTagging, options: version },

  { at: "POST object?uploads", name: "CreateMultipartUpload", operation: createMultipartUpload },
  { at: "PUT object?uploadId", name: "UploadPart", operation: uploadPart, options: ["partNumber"] },
  { at: "POST object?uploadId", name: "CompleteMultipartUpload", operation: completeMultipartUpload },
  { at: "DELETE object?uploadId", name: "AbortMultipartUpload", operation: abortMultipartUpload },
];

/** The `x-amz-` headers that this server understands or may ignore. The last five come from presigned URLs. */
const knownHeaders =
  /^x-amz-((checksum-|meta-|sdk-).*|content-sha256|copy-source|date|decoded-content-length|metadata-directive|security-token|trailer|user-agent|algorithm|credential|expires|signature|signedheaders)$/;
/** Other headers whose effect would be missing. */
const refusedHeaders = ["content-md5", "if-unmodified-since"];

/** Finds the operation of a request. Throws NotImplemented for an operation, query parameter or header that is not supported. */
export function route(request: S3Request): Route {
  const { method, bucket, key, query, headers } = request;
  const on = bucket === undefined ? "service" : key === undefined ? "bucket" : "object";
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

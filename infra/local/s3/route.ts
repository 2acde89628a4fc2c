import { notImplemented } from "./error.ts";
import type { Operation } from "./operation.ts";
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from "./operations/buckets.ts";
import { completeMultipartUpload } from "./operations/complete-upload.ts";
import {
  deleteDocument,
  getBucketLifecycle,
  getBucketPolicy,
  getBucketVersioning,
  getDocument,
  putBucketLifecycle,
  putBucketPolicy,
  putBucketVersioning,
  putDocument,
} from "./operations/configuration.ts";
import { copyObject } from "./operations/copy-object.ts";
import { deleteObject, deleteObjects } from "./operations/delete-object.ts";
import { getObject, getObjectAttributes, headObject } from "./operations/get-object.ts";
import { listObjectsV1, listObjectsV2, listObjectVersions } from "./operations/list-objects.ts";
import { listMultipartUploads } from "./operations/list-uploads.ts";
import {
  abortMultipartUpload,
  createMultipartUpload,
  listParts,
  uploadPart,
  uploadPartCopy,
} from "./operations/multipart.ts";
import { putObject } from "./operations/put-object.ts";
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from "./operations/tagging.ts";
import type { S3Request } from "./request.ts";

/** Every operation that this server knows, by the name that the S3 API gives it. */
const operations: Record<string, Operation> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getBucketLocation,
  GetBucketVersioning: getBucketVersioning,
  PutBucketVersioning: putBucketVersioning,
  GetBucketLifecycleConfiguration: getBucketLifecycle,
  PutBucketLifecycleConfiguration: putBucketLifecycle,
  DeleteBucketLifecycleConfiguration: deleteDocument("lifecycle"),
  GetBucketPolicy: getBucketPolicy,
  PutBucketPolicy: putBucketPolicy,
  DeleteBucketPolicy: deleteDocument("policy"),
  GetBucketTagging: getDocument("tagging"),
  PutBucketTagging: putDocument("tagging"),
  DeleteBucketTagging: deleteDocument("tagging"),
  GetBucketCors: getDocument("cors"),
  PutBucketCors: putDocument("cors"),
  DeleteBucketCors: deleteDocument("cors"),
  GetBucketEncryption: getDocument("encryption"),
  PutBucketEncryption: putDocument("encryption"),
  DeleteBucketEncryption: deleteDocument("encryption"),
  GetPublicAccessBlock: getDocument("publicAccessBlock"),
  PutPublicAccessBlock: putDocument("publicAccessBlock"),
  DeletePublicAccessBlock: deleteDocument("publicAccessBlock"),
  GetBucketOwnershipControls: getDocument("ownershipControls"),
  PutBucketOwnershipControls: putDocument("ownershipControls"),
  DeleteBucketOwnershipControls: deleteDocument("ownershipControls"),
  GetBucketLogging: getDocument("logging"),
  PutBucketLogging: putDocument("logging"),
  ListObjects: listObjectsV1,
  ListObjectsV2: listObjectsV2,
  ListObjectVersions: listObjectVersions,
  ListMultipartUploads: listMultipartUploads,
  DeleteObjects: deleteObjects,
  GetObject: getObject,
  HeadObject: headObject,
  GetObjectAttributes: getObjectAttributes,
  PutObject: putObject,
  CopyObject: copyObject,
  DeleteObject: deleteObject,
  GetObjectTagging: getObjectTagging,
  PutObjectTagging: putObjectTagging,
  DeleteObjectTagging: deleteObjectTagging,
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
};

/** Query parameters that turn a request for a bucket into one for something of it, as operations name it. */
const bucketParts: Record<string, string> = {
  abac: "BucketAbac",
  accelerate: "BucketAccelerateConfiguration",
  acl: "BucketAcl",
  analytics: "BucketAnalyticsConfiguration",
  cors: "BucketCors",
  encryption: "BucketEncryption",
  "intelligent-tiering": "BucketIntelligentTieringConfiguration",
  inventory: "BucketInventoryConfiguration",
  lifecycle: "BucketLifecycleConfiguration",
  location: "BucketLocation",
  logging: "BucketLogging",
  metadataConfiguration: "BucketMetadataConfiguration",
  metadataTable: "BucketMetadataTableConfiguration",
  metrics: "BucketMetricsConfiguration",
  notification: "BucketNotificationConfiguration",
  "object-lock": "ObjectLockConfiguration",
  ownershipControls: "BucketOwnershipControls",
  policy: "BucketPolicy",
  policyStatus: "BucketPolicyStatus",
  publicAccessBlock: "PublicAccessBlock",
  replication: "BucketReplication",
  requestPayment: "BucketRequestPayment",
  session: "Session",
  tagging: "BucketTagging",
  versioning: "BucketVersioning",
  website: "BucketWebsite",
};

const objectParts: Record<string, string> = {
  acl: "ObjectAcl",
  annotation: "ObjectAnnotation",
  attributes: "ObjectAttributes",
  encryption: "ObjectEncryption",
  "legal-hold": "ObjectLegalHold",
  renameObject: "RenameObject",
  retention: "ObjectRetention",
  tagging: "ObjectTagging",
  torrent: "ObjectTorrent",
};

const verbs: Record<string, string> = { GET: "Get", HEAD: "Head", PUT: "Put", POST: "Post", DELETE: "Delete" };

/** Finds what a request asks for. Throws NotImplemented, by name, for what this server does not know. */
export function route(request: S3Request): { name: string; operation: Operation } {
  const name = operationName(request);
  const operation = operations[name];
  if (!operation) throw notImplemented(name);
  return { name, operation };
}

/** The name that the S3 API gives to what a request asks for. */
export function operationName(request: S3Request): string {
  const verb = verbs[request.method] ?? request.method;
  if (request.bucket === undefined) return verb === "Get" ? "ListBuckets" : `${verb} on the service`;
  return request.key === undefined ? bucketOperation(request, verb) : objectOperation(request, verb);
}

function bucketOperation({ query }: S3Request, verb: string): string {
  const part = [...query.keys()].map((name) => bucketParts[name]).find(Boolean);
  if (part) return `${verb}${part}`;
  if (verb === "Post") return query.has("delete") ? "DeleteObjects" : "PostObject";
  if (verb === "Put") return "CreateBucket";
  if (verb !== "Get") return `${verb}Bucket`;
  if (query.has("versions")) return "ListObjectVersions";
  if (query.has("uploads")) return "ListMultipartUploads";
  return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
}

function objectOperation(request: S3Request, verb: string): string {
  const { query } = request;
  const part = [...query.keys()].map((name) => objectParts[name]).find(Boolean);
  if (part) return `${verb}${part}`;
  const copies = request.header("x-amz-copy-source") !== undefined;
  if (query.has("uploadId")) {
    const onUpload: Record<string, string> = {
      Get: "ListParts",
      Put: copies ? "UploadPartCopy" : "UploadPart",
      Post: "CompleteMultipartUpload",
      Delete: "AbortMultipartUpload",
    };
    return onUpload[verb] ?? `${verb} on an upload`;
  }
  if (verb !== "Post") return verb === "Put" && copies ? "CopyObject" : `${verb}Object`;
  if (query.has("uploads")) return "CreateMultipartUpload";
  return query.has("restore") ? "RestoreObject" : query.has("select") ? "SelectObjectContent" : "PostObject";
}

import type { ConditionKeys } from "../condition.ts";
import type { Permission } from "../statement.ts";

/** The parts of an S3 request that its permissions depend on. */
export interface S3Call {
  /** The operation's name in the S3 API. */
  operation: string;
  bucket: string | undefined;
  key: string | undefined;
  query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
}

/** Actions on objects, by operation. */
const onObject: Record<string, string> = {
  AbortMultipartUpload: "AbortMultipartUpload",
  CompleteMultipartUpload: "PutObject",
  CopyObject: "PutObject",
  CreateMultipartUpload: "PutObject",
  DeleteObject: "DeleteObject",
  GetObject: "GetObject",
  GetObjectTagging: "GetObjectTagging",
  HeadObject: "GetObject",
  PutObject: "PutObject",
  PutObjectTagging: "PutObjectTagging",
  UploadPart: "PutObject",
};

/** Actions on buckets, by operation. */
const onBucket: Record<string, string> = {
  CreateBucket: "CreateBucket",
  HeadBucket: "ListBucket",
  ListMultipartUploads: "ListBucketMultipartUploads",
  ListObjectsV2: "ListBucket",
  ListObjectVersions: "ListBucketVersions",
  PutBucketLifecycleConfiguration: "PutLifecycleConfiguration",
  PutBucketVersioning: "PutBucketVersioning",
};

/**
 * The permissions that a call of S3 needs. Undefined for an operation that the local host does not know. DeleteObjects needs
 * none here, because the server checks `DeleteObject` for each of its keys.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 */
export function s3Permissions(call: S3Call): Permission[] | undefined {
  const { operation, bucket = "", key = "", query } = call;
  const keys = keysOf(call);
  if (operation === "ListBuckets") return [{ action: "s3:ListAllMyBuckets", resource: "*", keys }];
  if (operation === "DeleteObjects") return [];
  const bucketAction = onBucket[operation];
  if (bucketAction) return [{ action: `s3:${bucketAction}`, resource: bucketArn(bucket), keys }];
  const objectAction = onObject[operation];
  if (!objectAction) return undefined;
  const action = query.has("versionId") ? objectAction.replace("Object", "ObjectVersion") : objectAction;
  // If-Match on a write reveals the ETag of the existing object.
  const reads = call.header("if-match") !== undefined && /^(Put|Delete)Object$|^CompleteM/.test(operation);
  const names = reads ? [action, "GetObject"] : [action];
  return [
    ...names.map((name) => ({ action: `s3:${name}`, resource: objectArn(bucket, key), keys })),
    ...copySource(call.header("x-amz-copy-source"), keys),
  ];
}

/** The permission that `DeleteObjects` needs for one of its keys. */
export function deletePermission(bucket: string, key: string, version: string | undefined): Permission {
  return {
    action: version === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion",
    resource: objectArn(bucket, key),
  };
}

/** The permission without which S3 answers 403 instead of 404 for a missing object. It has no prefix. */
export function listPermission(bucket: string): Permission {
  return { action: "s3:ListBucket", resource: bucketArn(bucket) };
}

function copySource(header: string | undefined, keys: ConditionKeys): Permission[] {
  const [, bucket, key, version] = /^\/?([^/]+)\/(.+?)(\?versionId=.+)?$/.exec(header ?? "") ?? [];
  if (bucket === undefined || key === undefined) return [];
  const action = version === undefined ? "s3:GetObject" : "s3:GetObjectVersion";
  return [{ action, resource: objectArn(bucket, decode(key)), keys }];
}

function keysOf({ query }: S3Call): ConditionKeys {
  return (key) => {
    const name = key.replace(/^s3:/, "");
    const value = query.get(name === "versionid" ? "versionId" : name);
    return value === undefined ? undefined : [value];
  };
}

const bucketArn = (bucket: string): string => `arn:aws:s3:::${bucket}`;
const objectArn = (bucket: string, key: string): string => `${bucketArn(bucket)}/${key}`;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import type { ConditionKeys } from "../condition.ts";
import type { Permission } from "../statement.ts";

/** The parts of an S3 request that its permissions depend on. */
interface S3Call {
  bucket: string | undefined;
  key: string | undefined;
  query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
}

/** The actions of operations whose action has another name. */
const actions: Record<string, string> = {
  CompleteMultipartUpload: "PutObject",
  CopyObject: "PutObject",
  CreateMultipartUpload: "PutObject",
  HeadBucket: "ListBucket",
  HeadObject: "GetObject",
  ListBuckets: "ListAllMyBuckets",
  ListMultipartUploads: "ListBucketMultipartUploads",
  ListObjectsV2: "ListBucket",
  ListObjectVersions: "ListBucketVersions",
  PutBucketLifecycleConfiguration: "PutLifecycleConfiguration",
  UploadPart: "PutObject",
};

/**
 * The permissions that an operation of the S3 API needs. DeleteObjects needs none here, because the server checks
 * `DeleteObject` for each of its keys.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 */
export function s3Permissions(operation: string, call: S3Call): Permission[] {
  if (operation === "DeleteObjects") return [];
  const { bucket, key, query } = call;
  const keys = keysOf(call);
  const resource = bucket === undefined ? "*" : key === undefined ? bucketArn(bucket) : objectArn(bucket, key);
  const action = actions[operation] ?? operation;
  const names = [query.has("versionId") ? action.replace("Object", "ObjectVersion") : action];
  // If-Match on a write reveals the ETag of the existing object.
  const isWrite = names.some((name) => /^(Put|Delete)Object/.test(name));
  if (isWrite && call.header("if-match") !== undefined) names.push("GetObject");
  return [
    ...names.map((name) => ({ action: `s3:${name}`, resource, keys })),
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

/** The permission without which S3 answers 403 instead of 404 for a missing object. */
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
  const prefix = query.get("prefix");
  return (key) => (key === "s3:prefix" && prefix !== undefined ? [prefix] : undefined);
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

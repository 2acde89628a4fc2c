import type { ConditionKeys } from "../condition.ts";
import type { Permission } from "../statement.ts";

/** What a request of the S3 API asks for, as far as permissions depend on it. */
export interface S3Call {
  /** By the name that the S3 API gives it. */
  operation: string;
  bucket: string | undefined;
  key: string | undefined;
  query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
}

/** Actions on objects, by operation. */
const onObject: Record<string, readonly string[]> = {
  AbortMultipartUpload: ["AbortMultipartUpload"],
  CompleteMultipartUpload: ["PutObject"],
  CopyObject: ["PutObject"],
  CreateMultipartUpload: ["PutObject"],
  DeleteObject: ["DeleteObject"],
  DeleteObjectTagging: ["DeleteObjectTagging"],
  GetObject: ["GetObject"],
  GetObjectAttributes: ["GetObject", "GetObjectAttributes"],
  GetObjectTagging: ["GetObjectTagging"],
  HeadObject: ["GetObject"],
  ListParts: ["ListMultipartUploadParts"],
  PutObject: ["PutObject"],
  PutObjectTagging: ["PutObjectTagging"],
  UploadPart: ["PutObject"],
  UploadPartCopy: ["PutObject"],
};

/** Actions that are other ones when the request names a version. */
const versioned = new Set([
  "DeleteObject",
  "DeleteObjectTagging",
  "GetObject",
  "GetObjectAttributes",
  "GetObjectTagging",
  "PutObjectTagging",
]);

/** Actions on buckets, by operation. */
const onBucket: Record<string, string> = {
  CreateBucket: "CreateBucket",
  DeleteBucket: "DeleteBucket",
  GetBucketLifecycleConfiguration: "GetLifecycleConfiguration",
  GetBucketLocation: "GetBucketLocation",
  GetBucketPolicy: "GetBucketPolicy",
  GetBucketTagging: "GetBucketTagging",
  GetBucketVersioning: "GetBucketVersioning",
  HeadBucket: "ListBucket",
  ListMultipartUploads: "ListBucketMultipartUploads",
  ListObjects: "ListBucket",
  ListObjectsV2: "ListBucket",
  ListObjectVersions: "ListBucketVersions",
  PutBucketLifecycleConfiguration: "PutLifecycleConfiguration",
  PutBucketPolicy: "PutBucketPolicy",
  PutBucketTagging: "PutBucketTagging",
  PutBucketVersioning: "PutBucketVersioning",
};

/** Headers that need an action of their own. */
const byHeader: Record<string, string> = {
  "x-amz-acl": "PutObjectAcl",
  "x-amz-tagging": "PutObjectTagging",
};

/**
 * The permissions that a call of S3 needs; DeleteObjects needs `DeleteObject` for each key beside them. Undefined for an operation that
 * the local host does not know.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 */
export function s3Permissions(call: S3Call): Permission[] | undefined {
  const { operation, bucket = "", key = "", query } = call;
  const keys = keysOf(call);
  if (operation === "ListBuckets") return [{ action: "s3:ListAllMyBuckets", resource: "*", keys }];
  // Each key of the request is checked by itself.
  if (operation === "DeleteObjects") return [];
  const bucketAction = onBucket[operation];
  if (bucketAction) return [{ action: `s3:${bucketAction}`, resource: bucketArn(bucket), keys }];
  const actions = onObject[operation];
  if (!actions) return undefined;
  const resource = objectArn(bucket, key);
  const version = query.has("versionId");
  const names = [
    ...actions.map((action) => (version && versioned.has(action) ? withVersion(action) : action)),
    // Both reveal something of the object that is there.
    ...(call.header("if-match") !== undefined && /^(Put|Delete)Object$|^CompleteM/.test(operation)
      ? ["GetObject"]
      : []),
    ...(actions.includes("PutObject")
      ? Object.entries(byHeader).flatMap(([header, action]) => (call.header(header) === undefined ? [] : [action]))
      : []),
  ];
  return [
    ...[...new Set(names)].map((name) => ({ action: `s3:${name}`, resource, keys })),
    ...copySource(call.header("x-amz-copy-source"), keys),
  ];
}

/** What `DeleteObjects` needs for one of its keys. */
export function deletePermission(bucket: string, key: string, version: string | undefined): Permission {
  return {
    action: version === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion",
    resource: objectArn(bucket, key),
  };
}

/** What decides whether a missing object is answered with 404, or with 403 as if it were there. It names no prefix. */
export function listPermission(bucket: string): Permission {
  return { action: "s3:ListBucket", resource: bucketArn(bucket) };
}

function withVersion(action: string): string {
  return action.replace("Object", "ObjectVersion");
}

function copySource(header: string | undefined, keys: ConditionKeys): Permission[] {
  const [, bucket, key, version] = /^\/?([^/]+)\/(.+?)(\?versionId=.+)?$/.exec(header ?? "") ?? [];
  if (bucket === undefined || key === undefined) return [];
  const action = version === undefined ? "s3:GetObject" : "s3:GetObjectVersion";
  return [{ action, resource: objectArn(bucket, decode(key)), keys }];
}

function keysOf({ query, header }: S3Call): ConditionKeys {
  return (key) => {
    const name = key.replace(/^s3:/, "");
    const value = name.startsWith("x-amz-")
      ? header(name)
      : name === "versionid"
        ? query.get("versionId")
        : ["prefix", "delimiter", "max-keys"].includes(name)
          ? query.get(name)
          : undefined;
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

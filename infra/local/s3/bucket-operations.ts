import { z } from "zod";
import { readDocument } from "./body.ts";
import { type LifecycleRule, readRules } from "./lifecycle.ts";
import type { Store } from "./object-store.ts";
import { listObjects, requireBucket } from "./objects.ts";
import type { Operation } from "./operation.ts";
import { S3Error } from "./s3-error.ts";
import { listUploads } from "./uploads.ts";
import { parseXml, renderXml } from "./xml.ts";

/** The most entries of one page. */
const MAX_PAGE = 1000;

export const listBuckets: Operation = async (store) => {
  const Bucket = store
    .sql("SELECT name, created FROM bucket ORDER BY name")
    .all()
    .map(({ name, created }) => ({ Name: String(name), CreationDate: isoDate(Number(created)) }));
  return { status: 200, body: renderXml("ListAllMyBucketsResult", { Buckets: { Bucket } }) };
};

/** Ignores the location in the request's body. */
export const createBucket: Operation = async (store, request, signed) => {
  const { bucket } = request;
  await readDocument(request, signed);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || bucket.includes("..")) {
    throw new S3Error("InvalidBucketName", `The bucket name "${bucket}" is not valid.`);
  }
  if (!(await insertBucket(store, bucket))) {
    throw new S3Error(
      "BucketAlreadyOwnedByYou",
      "Your previous request to create the named bucket succeeded and you already own it.",
    );
  }
  return { status: 200, headers: { location: `/${bucket}` } };
};

export const headBucket: Operation = async (store, { bucket }) => {
  requireBucket(store, bucket);
  return { status: 200, headers: { "x-amz-bucket-region": "us-east-1" } };
};

const versioning = z.strictObject({ Status: z.enum(["Enabled", "Suspended"]) });

/** PutBucketVersioning has no effect, because this server keeps the current version of an object only. */
export const putBucketVersioning: Operation = async (store, request, signed) => {
  requireBucket(store, request.bucket);
  parseXml(await readDocument(request, signed), "VersioningConfiguration", versioning);
  return { status: 200 };
};

export const putBucketLifecycle: Operation = async (store, request, signed) => {
  requireBucket(store, request.bucket);
  await setLifecycle(store, request.bucket, readRules(await readDocument(request, signed)));
  return { status: 200 };
};

export const listObjectsV2: Operation = async (store, { bucket, query }) => {
  requireBucket(store, bucket);
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after");
  const max = Number(query.get("max-keys") ?? MAX_PAGE);
  if (!Number.isInteger(max) || max < 0) {
    throw new S3Error("InvalidArgument", "Argument max-keys must be an integer between 0 and 2147483647");
  }
  const [prefix, delimiter] = [query.get("prefix") ?? "", query.get("delimiter") ?? ""];
  const after = token === undefined ? (startAfter ?? "") : readToken(token);
  const page = Math.min(max, MAX_PAGE);
  const { objects, prefixes, next } = listObjects(store, bucket, { prefix, delimiter, after, max: page });
  return {
    status: 200,
    body: renderXml("ListBucketResult", {
      Name: bucket,
      Prefix: prefix,
      Delimiter: delimiter || undefined,
      MaxKeys: page,
      KeyCount: objects.length + prefixes.length,
      IsTruncated: next !== undefined,
      ContinuationToken: token,
      NextContinuationToken: next && writeToken(next),
      StartAfter: startAfter,
      Contents: objects.map(describe),
      CommonPrefixes: prefixes.map((Prefix) => ({ Prefix })),
    }),
  };
};

/** Describes an object in a listing. */
function describe({ key, modified, etag, size }: ReturnType<typeof listObjects>["objects"][number]) {
  return { Key: key, LastModified: isoDate(modified), ETag: `"${etag}"`, Size: size, StorageClass: "STANDARD" };
}

/** Every object has one version, as in a bucket without versions: its id is `null`. */
export const NULL_VERSION = "null";

export const listObjectVersions: Operation = async (store, { bucket, query }) => {
  requireBucket(store, bucket);
  const [prefix, delimiter] = [query.get("prefix") ?? "", query.get("delimiter") ?? ""];
  const after = query.get("key-marker") ?? "";
  const { objects, prefixes, next } = listObjects(store, bucket, { prefix, delimiter, after, max: MAX_PAGE });
  return {
    status: 200,
    body: renderXml("ListVersionsResult", {
      Name: bucket,
      Prefix: prefix,
      Delimiter: delimiter || undefined,
      MaxKeys: MAX_PAGE,
      IsTruncated: next !== undefined,
      KeyMarker: after,
      NextKeyMarker: next,
      NextVersionIdMarker: next && NULL_VERSION,
      Version: objects.map((object) => ({ ...describe(object), VersionId: NULL_VERSION, IsLatest: true })),
      CommonPrefixes: prefixes.map((Prefix) => ({ Prefix })),
    }),
  };
};

/** ListMultipartUploads, in one page. */
export const listMultipartUploads: Operation = async (store, { bucket, query }) => {
  requireBucket(store, bucket);
  const Prefix = query.get("prefix") ?? "";
  return {
    status: 200,
    body: renderXml("ListMultipartUploadsResult", {
      Bucket: bucket,
      Prefix,
      IsTruncated: false,
      Upload: listUploads(store, bucket, Prefix).map(({ key, id, initiated }) => ({
        Key: key,
        UploadId: id,
        Initiated: isoDate(initiated),
      })),
    }),
  };
};

/** Creates a bucket. Returns false when it exists. */
export async function insertBucket(store: Store, name: string): Promise<boolean> {
  const insert = store.sql("INSERT OR IGNORE INTO bucket (name, created) VALUES (?, ?)");
  return (await store.commit(() => insert.run(name, store.now()))).changes > 0;
}

export async function setLifecycle(store: Store, bucket: string, rules: readonly LifecycleRule[]): Promise<void> {
  const update = store.sql("UPDATE bucket SET lifecycle = ? WHERE name = ?");
  await store.commit(() => update.run(JSON.stringify(rules), bucket));
}

/** The date format of XML documents, in whole seconds as S3 keeps them. */
export function isoDate(milliseconds: number): string {
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString();
}

function writeToken(key: string): string {
  return Buffer.from(`1${key}`).toString("base64url");
}

function readToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (text.startsWith("1") && writeToken(text.slice(1)) === token) return text.slice(1);
  throw new S3Error("InvalidArgument", "The continuation token provided is incorrect");
}

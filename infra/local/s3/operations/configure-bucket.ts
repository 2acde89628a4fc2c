import { z } from "zod";
import { readDocument } from "../body.ts";
import { allBuckets, insertBucket, requireBucket, setConfiguration } from "../buckets.ts";
import { readRules } from "../lifecycle-rules.ts";
import type { Operation } from "../route.ts";
import { parseXml, renderXml } from "../xml.ts";
import { isoDate } from "./list-objects.ts";

/** ListBuckets. */
export const listBuckets: Operation = async (store) => {
  const Bucket = allBuckets(store).map(({ name, created }) => ({ Name: name, CreationDate: isoDate(created) }));
  return { status: 200, body: renderXml("ListAllMyBucketsResult", { Buckets: { Bucket } }) };
};

/** CreateBucket. Ignores the location in the request's body. */
export const createBucket: Operation = async (store, request, signed) => {
  await readDocument(request, signed);
  await insertBucket(store, request.bucket ?? "");
  return { status: 200, headers: { location: `/${request.bucket}` } };
};

/** HeadBucket. */
export const headBucket: Operation = async (store, request) => {
  requireBucket(store, request.bucket);
  return { status: 200, headers: { "x-amz-bucket-region": "us-east-1" } };
};

const versioning = z.strictObject({ Status: z.enum(["Enabled", "Suspended"]) });

/** PutBucketVersioning. */
export const putBucketVersioning: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const { Status } = parseXml(await readDocument(request, signed), "VersioningConfiguration", versioning);
  await setConfiguration(store, bucket, "versioning", Status);
  return { status: 200 };
};

/** PutBucketLifecycleConfiguration. Throws MalformedXML for a rule that this server cannot apply. */
export const putBucketLifecycle: Operation = async (store, request, signed) => {
  const bucket = requireBucket(store, request.bucket);
  const document = await readDocument(request, signed);
  readRules(document);
  await setConfiguration(store, bucket, "lifecycle", document);
  return { status: 200 };
};

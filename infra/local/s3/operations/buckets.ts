import { readDocument } from "../body.ts";
import { createBucket as create, deleteBucket as drop, listBuckets as list, requireBucket } from "../buckets.ts";
import { notImplemented, S3Error } from "../error.ts";
import type { Operation } from "../operation.ts";
import { renderXml, type XmlChild } from "../xml.ts";
import { isoDate, owner } from "./list-objects.ts";

/** ListBuckets. */
export const listBuckets: Operation = async (store, request) => {
  const prefix = request.query.get("prefix") ?? "";
  const after = request.query.get("continuation-token") ?? "";
  const max = Number(request.query.get("max-buckets") ?? 10_000);
  if (!Number.isInteger(max) || max < 1) throw new S3Error("InvalidArgument", "max-buckets must be from 1 to 10000");
  const rest = list(store).filter(({ name }) => name.startsWith(prefix) && name > after);
  const page = rest.slice(0, max);
  return {
    status: 200,
    body: renderXml("ListAllMyBucketsResult", [
      owner,
      [
        "Buckets",
        page.map(
          ({ name, created }): XmlChild => [
            "Bucket",
            [
              ["Name", name],
              ["CreationDate", isoDate(created)],
            ],
          ],
        ),
      ],
      ["ContinuationToken", rest.length > page.length ? page.at(-1)?.name : undefined],
    ]),
  };
};

/** CreateBucket. Where the bucket should be does not matter here. */
export const createBucket: Operation = async (store, request, signed) => {
  await readDocument(request, signed);
  if (request.header("x-amz-bucket-object-lock-enabled") === "true") throw notImplemented("object lock");
  await create(store, request.bucket ?? "");
  return { status: 200, headers: { location: `/${request.bucket}` } };
};

/** HeadBucket. */
export const headBucket: Operation = async (store, request) => {
  requireBucket(store, request.bucket);
  return { status: 200, headers: { "x-amz-bucket-region": "us-east-1" } };
};

/** DeleteBucket. */
export const deleteBucket: Operation = async (store, request) => {
  await drop(store, requireBucket(store, request.bucket));
  return { status: 204 };
};

/** GetBucketLocation. */
export const getBucketLocation: Operation = async (store, request) => {
  requireBucket(store, request.bucket);
  // An empty constraint means us-east-1.
  return { status: 200, body: renderXml("LocationConstraint", []) };
};

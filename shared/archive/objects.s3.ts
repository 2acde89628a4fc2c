import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type Condition, uploadObject } from "../s3/upload-object.ts";

/** Reads and writes the objects of a bucket by their keys. Throws the errors of the SDK, which have an HTTP status. */
export function createObjects(s3: S3Client, Bucket: string) {
  return {
    head: (Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key })),

    /** Reads a range of an object if it still has this ETag. */
    read: async (Key: string, IfMatch: string, Range: string) =>
      (await s3.send(new GetObjectCommand({ Bucket, Key, IfMatch, Range }))).Body?.transformToByteArray(),

    /** Uploads a large object in several parts. */
    upload: (Key: string, Body: Readable, Metadata: Record<string, string>, condition: Condition) =>
      uploadObject(s3, { Bucket, Key, ContentType: "application/gzip", Metadata }, condition, Body),

    remove: (Key: string, IfMatch: string) => s3.send(new DeleteObjectCommand({ Bucket, Key, IfMatch })),

    ping: () => s3.send(new HeadBucketCommand({ Bucket })),
  };
}

export type Objects = ReturnType<typeof createObjects>;

import type { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

/** Bytes of a part. S3 accepts 10,000 parts, so an object can have up to 78 GB. */
const PART_SIZE = 8 * 1024 * 1024;

/** The condition of a write: the object has this ETag, or it does not exist. */
export type Condition = { IfMatch: string } | { IfNoneMatch: "*" };

interface UploadTarget {
  Bucket: string;
  Key: string;
  ContentType: string;
  Metadata: Record<string, string>;
}

/**
 * Uploads an object whose length is not known in advance, in several parts if it is large. The object appears when the upload is complete. A
 * failed upload leaves no part behind. Throws the errors of the SDK: 412 or 409 when the condition is not met. `lib-storage` also sends the
 * checksums of the parts, which S3 requires.
 */
export function uploadObject(
  client: S3Client,
  target: UploadTarget,
  condition: Condition,
  Body: Readable,
): Promise<{ ETag?: string | undefined }> {
  return new Upload({ client, partSize: PART_SIZE, params: { ...target, ...condition, Body } }).done();
}

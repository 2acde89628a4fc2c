import type { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

/** Bytes of a part. S3 takes 10,000 parts, so an object can have up to 78 GB. */
const PART_SIZE = 8 * 1024 * 1024;

/** What must be true for an object to be written: a known version exists, or none exists. */
export type Condition = { IfMatch: string } | { IfNoneMatch: "*" };

interface UploadTarget {
  Bucket: string;
  Key: string;
  ContentType: string;
  Metadata: Record<string, string>;
}

/**
 * Uploads an object whose length is not known before, in several parts if it is large. The object exists once the upload has
 * ended, and is complete; a failed upload leaves no part behind. Rejects with the SDK's errors: 412 or 409 when the condition
 * is not met. `lib-storage` also sends the part checksums that S3 requires.
 */
export function uploadObject(
  client: S3Client,
  target: UploadTarget,
  condition: Condition,
  Body: Readable,
): Promise<{ ETag?: string | undefined }> {
  return new Upload({ client, partSize: PART_SIZE, params: { ...target, ...condition, Body } }).done();
}

import { createObjects, type Objects } from "../shared/archive/objects.s3.ts";
import { createFileObjects } from "../shared/files/file-objects.s3.ts";
import type { FileObjects } from "../shared/files/file-store.ts";
import { createS3 } from "../shared/s3/create-s3.ts";

// Functions load this file at its first use, because most requests do not need S3. The bundler puts it, with the S3 client, into a separate
// file in the function's directory.

export function openObjects(bucket: string): Objects {
  return createObjects(createS3(), bucket);
}

/** The S3 client must not add a checksum to signed URLs, because it does not know the content that will be uploaded. */
export function openFileObjects(bucket: string): FileObjects {
  return createFileObjects(createS3({ requestChecksumCalculation: "WHEN_REQUIRED" }), bucket);
}

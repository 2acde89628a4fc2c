import { createObjects, type Objects } from "../shared/archive/objects.s3.ts";
import { createFileObjects } from "../shared/files/file-objects.s3.ts";
import type { FileObjects } from "../shared/files/file-store.ts";
import { createS3 } from "../shared/s3/create-s3.ts";

// Most requests need no S3, so that functions load this file at its first use: the bundler keeps it, with the S3 client, beside their
// bundles.

export function openObjects(bucket: string): Objects {
  return createObjects(createS3(), bucket);
}

/** The client signs no checksum of its own, because it does not know the content that a client will upload. */
export function openFileObjects(bucket: string): FileObjects {
  return createFileObjects(createS3({ requestChecksumCalculation: "WHEN_REQUIRED" }), bucket);
}

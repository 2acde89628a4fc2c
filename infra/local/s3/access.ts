import { S3Error } from "./error.ts";
import type { S3Request } from "./request.ts";
import type { Signed } from "./signature.ts";

/** The permissions of callers other than the owner of the server. The owner may call every operation. */
export interface S3Access {
  /** Returns the caller's secret access key, or undefined for an unknown access key. */
  secretOf(accessKeyId: string): string | undefined;
  /** Throws AccessDenied unless the caller may make this request. */
  check(accessKeyId: string, operation: string, request: S3Request): void;
  /** Throws AccessDenied unless the caller may delete this object. DeleteObjects checks each key. */
  checkDelete(accessKeyId: string, bucket: string, key: string, version: string | undefined): void;
  /** Throws AccessDenied unless the caller may list the bucket. */
  checkList(accessKeyId: string, bucket: string): void;
}

/** Returns the error to show to the caller: S3 answers 404 for a missing object only to callers that may list the bucket. */
export function withoutHint(
  error: unknown,
  access: S3Access,
  { accessKeyId }: Signed,
  { bucket = "" }: S3Request,
): unknown {
  if (!(error instanceof S3Error) || !["NoSuchKey", "NoSuchVersion"].includes(error.code)) return error;
  try {
    access.checkList(accessKeyId, bucket);
    return error;
  } catch (denied) {
    return denied;
  }
}

import { S3Error } from "./error.ts";
import type { S3Request } from "./request.ts";
import type { Signed } from "./signature.ts";

/** Callers beside the owner of the server, and what they may do. The owner may do everything. */
export interface S3Access {
  /** The secret access key of a caller. Undefined for an access key that is not known. */
  secretOf(accessKeyId: string): string | undefined;
  /** Throws AccessDenied unless the caller may make this request. */
  check(accessKeyId: string, operation: string, request: S3Request): void;
  /** Throws AccessDenied unless the caller may delete this object: DeleteObjects is checked key by key. */
  checkDelete(accessKeyId: string, bucket: string, key: string, version: string | undefined): void;
  /** Throws AccessDenied unless the caller may know which objects are in the bucket. */
  checkList(accessKeyId: string, bucket: string): void;
}

/** S3 says that an object is not there only to callers that may list the bucket. Gives the error that the caller is shown. */
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

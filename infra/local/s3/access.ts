import type { Access } from "../iam/access.ts";
import { deletePermission, listPermission, s3Permissions } from "../iam/permissions/s3.ts";
import type { Permission } from "../iam/statement.ts";
import type { S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** The callers other than the owner of the server, and their permissions. The owner may call every operation. */
export type S3Access = Pick<Access, "secretOf" | "check">;

/** Throws AccessDenied unless the caller may make this request. */
export function checkRequest(access: S3Access, accessKeyId: string, operation: string, request: S3Request): void {
  check(access, accessKeyId, s3Permissions(operation, request));
}

/** Throws AccessDenied unless the caller may delete this object. */
export function checkDelete(
  access: S3Access,
  accessKeyId: string,
  object: { bucket: string; key: string; version: string | undefined },
): void {
  check(access, accessKeyId, [deletePermission(object.bucket, object.key, object.version)]);
}

/** Returns the error to show to the caller: S3 answers 404 for a missing object only to callers that may list the bucket. */
export function withoutHint(error: unknown, access: S3Access, accessKeyId: string, bucket = ""): unknown {
  if (!(error instanceof S3Error) || !["NoSuchKey", "NoSuchVersion"].includes(error.code)) return error;
  const refusal = access.check(accessKeyId, [listPermission(bucket)]);
  return refusal ? new S3Error("AccessDenied", refusal.message) : error;
}

function check(access: S3Access, accessKeyId: string, permissions: Permission[]): void {
  const refusal = access.check(accessKeyId, permissions);
  if (refusal) throw new S3Error("AccessDenied", refusal.message);
}

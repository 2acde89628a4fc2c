import type { Access } from "../iam/access.ts";
import type { Permission } from "../iam/statement.ts";
import { decode, type S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** The callers other than the owner of the server, and their permissions. The owner may call every operation. */
export type S3Access = Pick<Access, "secretOf" | "check">;

/**
 * Throws AccessDenied unless the caller may make this request.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 *
 * @param action The action that the operation needs; null = the operation checks each key itself.
 */
export function checkRequest(access: S3Access, accessKeyId: string, action: string | null, request: S3Request): void {
  if (action === null) return;
  const { bucket, key, query } = request;
  const prefix = query.get("prefix");
  const keys = (name: string) => (name === "s3:prefix" ? prefix : undefined);
  const needed = [permission(action, bucket, key)];
  // If-Match on a write reveals the ETag of the existing object.
  const isWrite = /^(Put|Delete)Object/.test(action);
  if (isWrite && request.header("if-match") !== undefined) needed.push(permission("GetObject", bucket, key));
  const [, sourceBucket, sourceKey] = /^\/?([^/]+)\/(.+)$/.exec(request.header("x-amz-copy-source") ?? "") ?? [];
  if (sourceBucket && sourceKey) needed.push(permission("GetObject", sourceBucket, decode(sourceKey)));
  check(
    access,
    accessKeyId,
    needed.map((each) => ({ ...each, keys })),
  );
}

/** Throws AccessDenied unless the caller may delete this object. */
export function checkDelete(access: S3Access, accessKeyId: string, bucket: string, key: string): void {
  check(access, accessKeyId, [permission("DeleteObject", bucket, key)]);
}

/** Returns the error to show to the caller: S3 answers 404 for a missing object only to callers that may list the bucket. */
export function hideMissingObject(error: unknown, access: S3Access, accessKeyId: string, bucket: string): unknown {
  if (!(error instanceof S3Error) || error.code !== "NoSuchKey") return error;
  const refusal = access.check(accessKeyId, [permission("ListBucket", bucket, "")]);
  return refusal ? new S3Error("AccessDenied", refusal) : error;
}

function permission(action: string, bucket: string, key: string): Permission {
  return { action: `s3:${action}`, resource: bucket === "" ? "*" : `arn:aws:s3:::${bucket}${key && `/${key}`}` };
}

function check(access: S3Access, accessKeyId: string, permissions: Permission[]): void {
  const refusal = access.check(accessKeyId, permissions);
  if (refusal) throw new S3Error("AccessDenied", refusal);
}

import type { S3Access } from "../s3/access.ts";
import { notImplemented, S3Error } from "../s3/error.ts";
import type { Access } from "./access.ts";
import { deletePermission, listPermission, s3Permissions } from "./permissions/s3.ts";
import type { Permission } from "./statement.ts";

/** What functions may do in S3. */
export function createS3Access(access: Access): S3Access {
  const check = (accessKeyId: string, permissions: Permission[]) => {
    const refusal = access.check(accessKeyId, permissions);
    if (refusal) throw new S3Error("AccessDenied", refusal.message);
  };
  return {
    secretOf: access.secretOf,
    check(accessKeyId, operation, request) {
      if (!access.isFunction(accessKeyId)) return;
      const permissions = s3Permissions({ ...request, operation });
      if (!permissions) throw notImplemented(`the permissions of ${operation}`);
      check(accessKeyId, permissions);
    },
    checkDelete: (accessKeyId, ...object) => check(accessKeyId, [deletePermission(...object)]),
    checkList: (accessKeyId, bucket) => check(accessKeyId, [listPermission(bucket)]),
  };
}

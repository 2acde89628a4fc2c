import { z } from "zod";
import { checkDelete } from "../access.ts";
import { readDocument } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { deleteObject as deleteKey } from "../objects.ts";
import { checkKey } from "../request.ts";
import type { Operation } from "../route.ts";
import { S3Error } from "../s3-error.ts";
import { parseXml, renderXml } from "../xml.ts";

/** The most keys of one DeleteObjects. */
const MAX_KEYS = 1000;

const deletion = z.strictObject({
  Object: z
    .array(z.strictObject({ Key: z.string().min(1), VersionId: z.string().optional(), ETag: z.string().optional() }))
    .max(MAX_KEYS),
  Quiet: z.enum(["true", "false"]).optional(),
});

/** DeleteObject. */
export const deleteObject: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const options = { version: request.query.get("versionId"), ifMatch: request.header("if-match") };
  const { version, marker } = await store.commit((free) => deleteKey(store, free, bucket, request.key ?? "", options));
  return {
    status: 204,
    headers: { "x-amz-version-id": version, "x-amz-delete-marker": marker ? "true" : undefined },
  };
};

/** DeleteObjects. The answer has one result per key. */
export const deleteObjects: Operation = async (store, request, signed, access) => {
  const bucket = requireBucket(store, request.bucket);
  const document = parseXml(await readDocument(request, signed), "Delete", deletion);
  const results = await store.commit((free) =>
    document.Object.map(({ Key, VersionId, ETag }) => {
      try {
        checkKey(Key);
        if (access) checkDelete(access, signed.accessKeyId, { bucket, key: Key, version: VersionId });
        const { version, marker } = deleteKey(store, free, bucket, Key, { version: VersionId, ifMatch: ETag });
        const DeleteMarkerVersionId = marker ? version : undefined;
        return { Deleted: { Key, VersionId, DeleteMarker: marker || undefined, DeleteMarkerVersionId } };
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
        return { Error: { Key, VersionId, Code: error.code, Message: error.message } };
      }
    }),
  );
  const Deleted = document.Quiet === "true" ? [] : results.flatMap((result) => result.Deleted ?? []);
  const errors = results.flatMap((result) => result.Error ?? []);
  return { status: 200, body: renderXml("DeleteResult", { Deleted, Error: errors }) };
};

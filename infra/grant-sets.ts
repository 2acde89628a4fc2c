import type { Grants } from "./function-spec.ts";

/** Actions to read objects. Without ListBucket, S3 answers 403 instead of 404 when an object does not exist. */
export const archiveRead = ["GetObject", "ListBucket"] as const;
/** Actions to write objects. S3 needs GetObject for HEAD, and for deletes and overwrites with If-Match. */
export const archiveWrite = [...archiveRead, "PutObject", "AbortMultipartUpload", "DeleteObject"] as const;

/** Actions to delete all versions of objects. */
export const eraseObjects = [
  "ListBucketVersions",
  "ListBucketMultipartUploads",
  "DeleteObjectVersion",
  "AbortMultipartUpload",
] as const;

/** Actions to archive, restore or delete a session. */
const lifecycle = [
  "GetItem",
  "BatchGetItem",
  "Query",
  "PutItem",
  "UpdateItem",
  "DeleteItem",
  "BatchWriteItem",
] as const;
/** Actions to change a session and check an item that must not change meanwhile. */
export const guarded = [...lifecycle, "ConditionCheckItem"] as const;
/** Actions of the idempotency middleware, which every POST has. */
export const idempotency = ["PutItem", "UpdateItem"] as const;
/** Actions to create a session, also with the id of an expired session that is still stored. */
export const creation = [...idempotency, "GetItem", "DeleteItem", "ConditionCheckItem"] as const;
/** Actions on files of a function that may find a deleted session, and then deletes what the session has left. */
export const purge = ["DeleteObject"] as const;
/** Actions on files of a function that stores messages. They name files, and may hold some. */
export const fileUse = [...archiveRead, "PutObject", "DeleteObject"] as const;
/** What a function needs to change a session that may be archived or deleted at the same time. */
export const sessionChange: Grants = { table: lifecycle, archive: archiveWrite, files: purge };
/** What a function needs to run a chat turn. */
export const turn: Grants = {
  table: guarded,
  archive: archiveWrite,
  files: fileUse,
  searches: true,
  embeds: true,
  chat: "ask",
  streams: true,
  memory: 1024,
  timeout: 300,
};
/** What a function needs to follow a turn, and to store the partial answer of a turn whose function was killed. */
export const following: Grants = {
  table: ["GetItem", "Query", "PutItem"],
  archive: archiveRead,
  streams: true,
  timeout: 300,
};
/** What a job needs to fold metrics into aggregates. Nothing is deleted. */
export const folding: Grants = {
  metrics: ["GetItem", "Query", "BatchWriteItem", "UpdateItem"],
  memory: 1024,
  timeout: 900,
};
/** Actions to read metrics, and to store the checkpoint of a job. */
export const checkpointed = ["GetItem", "Query", "UpdateItem"] as const;

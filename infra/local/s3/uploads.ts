import { randomBytes } from "node:crypto";
import type { Blob } from "./blobs.ts";
import type { Free, Store } from "./object-store.ts";
import type { Metadata } from "./objects.ts";
import { S3Error } from "./s3-error.ts";

/** A multipart upload that is not completed yet. */
export interface Upload {
  id: string;
  bucket: string;
  key: string;
  metadata: Metadata;
  /** Milliseconds since 1970. */
  initiated: number;
}

export interface UploadedPart extends Blob {
  number: number;
  /** Hex MD5. */
  etag: string;
}

/** Starts an upload and returns its id. */
export async function createUpload(store: Store, bucket: string, key: string, metadata: Metadata): Promise<string> {
  const id = randomBytes(32).toString("base64url");
  const insert = store.sql("INSERT INTO upload (id, bucket, key, initiated, metadata) VALUES (?, ?, ?, ?, ?)");
  await store.commit(() => insert.run(id, bucket, Buffer.from(key), store.now(), JSON.stringify(metadata)));
  return id;
}

/** Throws NoSuchUpload. */
export function requireUpload(store: Store, bucket: string, key: string, id: string): Upload {
  const row = store
    .sql("SELECT * FROM upload WHERE id = ? AND bucket = ? AND key = ?")
    .get(id, bucket, Buffer.from(key));
  if (row) return readUpload(row);
  throw new S3Error("NoSuchUpload", "The upload does not exist. It may have been completed or aborted.");
}

/** The uploads of a bucket to keys with a prefix, in the order of their keys and ids. */
export function listUploads(store: Store, bucket: string, prefix: string): Upload[] {
  const rows = store.sql("SELECT * FROM upload WHERE bucket = ? ORDER BY key, id").all(bucket);
  return rows.map(readUpload).filter(({ key }) => key.startsWith(prefix));
}

/** Stores a part and replaces the one with the same number. Runs within a transaction. */
export function putPart(store: Store, free: Free, upload: string, part: UploadedPart): void {
  free(listParts(store, upload).filter(({ number }) => number === part.number));
  store
    .sql("INSERT OR REPLACE INTO upload_part (upload, number, blob, size, etag) VALUES (?, ?, ?, ?, ?)")
    .run(upload, part.number, part.id, part.size, part.etag);
}

/** All parts of an upload, by number. */
export function listParts(store: Store, upload: string): UploadedPart[] {
  const rows = store.sql("SELECT * FROM upload_part WHERE upload = ? ORDER BY number").all(upload);
  return rows.map(({ blob, number, size, etag }) => ({
    id: String(blob),
    number: Number(number),
    size: Number(size),
    etag: String(etag),
  }));
}

/** Deletes an upload and the files of its parts, except those to keep. Runs within a transaction. */
export function deleteUpload(store: Store, free: Free, id: string, keep: readonly Blob[] = []): void {
  const kept = new Set(keep.map((blob) => blob.id));
  free(listParts(store, id).filter((part) => !kept.has(part.id)));
  store.sql("DELETE FROM upload_part WHERE upload = ?").run(id);
  store.sql("DELETE FROM upload WHERE id = ?").run(id);
}

function readUpload(row: Record<string, unknown>): Upload {
  return {
    id: String(row.id),
    bucket: String(row.bucket),
    key: Buffer.from(row.key as Uint8Array).toString("utf8"),
    initiated: Number(row.initiated),
    metadata: JSON.parse(String(row.metadata)) as Metadata,
  };
}

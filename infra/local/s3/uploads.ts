import { randomBytes } from "node:crypto";
import type { Blob } from "./blobs.ts";
import type { ChecksumAlgorithm } from "./checksum.ts";
import type { Store } from "./object-store.ts";
import type { Free, Metadata } from "./objects.ts";
import { S3Error } from "./s3-error.ts";

/** A multipart upload that is not completed yet. */
export interface Upload {
  id: string;
  bucket: string;
  key: string;
  metadata: Metadata;
  /** Milliseconds since 1970. */
  initiated: number;
  /** The algorithm of the parts' checksums. */
  algorithm: ChecksumAlgorithm | undefined;
}

export interface UploadedPart extends Blob {
  number: number;
  /** Hex MD5. */
  etag: string;
  /** Base64. */
  checksum: string | undefined;
}

/** Starts an upload and returns its id. */
export async function createUpload(store: Store, upload: Omit<Upload, "id" | "initiated">): Promise<string> {
  const id = randomBytes(32).toString("base64url");
  const { bucket, key, metadata, algorithm = null } = upload;
  await store.commit(() => {
    store
      .sql(`INSERT INTO upload (id, bucket, key, initiated, storage_class, metadata, tags, algorithm)
        VALUES (?, ?, ?, ?, 'STANDARD', ?, '[]', ?)`)
      .run(id, bucket, Buffer.from(key), store.now(), JSON.stringify(metadata), algorithm);
  });
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

/** The uploads of a bucket, in the order of their keys and ids. */
export function listUploads(store: Store, bucket: string): Upload[] {
  return store.sql("SELECT * FROM upload WHERE bucket = ? ORDER BY key, id").all(bucket).map(readUpload);
}

/** Stores a part and replaces the one with the same number. Runs within a transaction. */
export function putPart(store: Store, free: Free, upload: string, part: UploadedPart): void {
  const replaced = store
    .sql("SELECT * FROM upload_part WHERE upload = ? AND number = ?")
    .all(upload, part.number)
    .map(readPart);
  free(replaced);
  store
    .sql(`INSERT OR REPLACE INTO upload_part (upload, number, blob, size, etag, checksum, modified)
      VALUES (?, ?, ?, ?, ?, ?, ?)`)
    .run(upload, part.number, part.id, part.size, part.etag, part.checksum ?? null, store.now());
}

/** All parts of an upload, by number. */
export function listParts(store: Store, upload: string): UploadedPart[] {
  return store.sql("SELECT * FROM upload_part WHERE upload = ? ORDER BY number").all(upload).map(readPart);
}

/** Deletes the record of an upload but not the files of its parts. Runs within a transaction. */
export function deleteUpload(store: Store, id: string): void {
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
    algorithm: (row.algorithm as ChecksumAlgorithm | null) ?? undefined,
  };
}

function readPart(row: Record<string, unknown>): UploadedPart {
  return {
    id: String(row.blob),
    number: Number(row.number),
    size: Number(row.size),
    etag: String(row.etag),
    checksum: row.checksum === null ? undefined : String(row.checksum),
  };
}

import { randomBytes } from "node:crypto";
import type { Attributes } from "./attributes.ts";
import type { Blob } from "./blobs.ts";
import type { Checksum, ChecksumAlgorithm } from "./checksum.ts";
import { S3Error } from "./error.ts";
import type { Metadata, Tag } from "./objects.ts";
import type { Store } from "./store.ts";

/** A multipart upload that is not completed yet. */
export interface Upload extends Attributes {
  id: string;
  bucket: string;
  key: string;
  /** Milliseconds since 1970. */
  initiated: number;
  algorithm: ChecksumAlgorithm | undefined;
  checksumType: Checksum["type"] | undefined;
}

export interface UploadedPart extends Blob {
  number: number;
  /** Hex MD5. */
  etag: string;
  /** Base64. */
  checksum: string | undefined;
  modified: number;
}

export type NewUpload = Omit<Upload, "id" | "initiated">;

export async function createUpload(store: Store, upload: NewUpload): Promise<string> {
  const id = randomBytes(32).toString("base64url");
  await store.commit(() => {
    store
      .sql(`INSERT INTO upload (id, bucket, key, initiated, storage_class, metadata, tags, algorithm, checksum_type)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
      .run(
        id,
        upload.bucket,
        Buffer.from(upload.key),
        store.now(),
        upload.storageClass,
        JSON.stringify(upload.metadata),
        JSON.stringify(upload.tags),
        upload.algorithm ?? null,
        upload.checksumType ?? null,
      );
  });
  return id;
}

/** Throws NoSuchUpload. */
export function requireUpload(store: Store, bucket: string, key: string, id: string): Upload {
  const row = store
    .sql("SELECT * FROM upload WHERE id = ? AND bucket = ? AND key = ?")
    .get(id, bucket, Buffer.from(key));
  if (row) return readUpload(row);
  throw new S3Error(
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
  );
}

/** The uploads of a bucket with a prefix, in the order of their keys and ids, after a given one. */
export function listUploads(
  store: Store,
  bucket: string,
  query: { prefix: string; after: { key: string; id: string }; limit: number },
): Upload[] {
  const prefix = Buffer.from(query.prefix);
  return store
    .sql(`SELECT * FROM upload WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND substr(key, 1, ?4) = ?5
      ORDER BY key, id LIMIT ?6`)
    .all(bucket, Buffer.from(query.after.key), query.after.id, prefix.length, prefix, query.limit)
    .map(readUpload);
}

/** Keeps a part; one of the same number is replaced. Runs within a transaction. */
export function putPart(
  store: Store,
  free: (blobs: readonly Blob[]) => void,
  upload: string,
  part: Omit<UploadedPart, "modified">,
): void {
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

/** Forgets an upload. Its parts' blobs are the caller's to free or to keep. Runs within a transaction. */
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
    storageClass: String(row.storage_class),
    metadata: JSON.parse(String(row.metadata)) as Metadata,
    tags: JSON.parse(String(row.tags)) as Tag[],
    algorithm: (row.algorithm as ChecksumAlgorithm | null) ?? undefined,
    checksumType: (row.checksum_type as Checksum["type"] | null) ?? undefined,
  };
}

function readPart(row: Record<string, unknown>): UploadedPart {
  return {
    id: String(row.blob),
    number: Number(row.number),
    size: Number(row.size),
    etag: String(row.etag),
    checksum: row.checksum === null ? undefined : String(row.checksum),
    modified: Number(row.modified),
  };
}

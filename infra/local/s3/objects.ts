import { randomBytes } from "node:crypto";
import type { Blob } from "./blobs.ts";
import { requireBucket, versioningOf } from "./buckets.ts";
import type { Checksum } from "./checksum.ts";
import type { Store } from "./object-store.ts";
import type { S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";

export interface Tag {
  key: string;
  value: string;
}

/** The stored data of an object, apart from its body. */
export interface Metadata {
  /** Response headers in lower case: `content-type`, `cache-control`, … */
  headers: Readonly<Record<string, string>>;
  /** User metadata, without the `x-amz-meta-` prefix. */
  user: Readonly<Record<string, string>>;
  checksum?: Checksum | undefined;
}

/** An object to write. */
interface NewObject {
  /** The files of its body, in order: one, or the parts of a multipart upload. */
  parts: readonly Blob[];
  /** Hex MD5 of the body, or of the parts' MD5s with `-<parts>`; without quotes. */
  etag: string;
  metadata: Metadata;
  tags: readonly Tag[];
}

/** The class that objects are written to, and the one that a lifecycle rule can move them to. */
export type StorageClass = "STANDARD" | "GLACIER_IR";

/** A version of an object, or a delete marker. */
export interface StoredObject extends NewObject {
  id: number;
  key: string;
  /** `null` for an object that was written while its bucket had no versioning. */
  version: string;
  current: boolean;
  marker: boolean;
  storageClass: StorageClass;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
  /** When a newer version replaced it; `null` for the current version. */
  superseded: number | null;
}

/** The preconditions of a write, as in its headers. */
export interface WriteConditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

/** Deletes files once the transaction is on the disk. */
export type Free = (blobs: readonly Blob[]) => void;

/** The object or version that a request names. Throws NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker. */
export function findObject(store: Store, request: S3Request): StoredObject {
  const bucket = requireBucket(store, request.bucket);
  return findVersion(store, bucket, request.key ?? "", request.query.get("versionId"));
}

/** Throws NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker. */
export function findVersion(store: Store, bucket: string, key: string, version: string | undefined): StoredObject {
  if (version === undefined) {
    const object = currentObject(store, bucket, key);
    if (!object) throw noSuchKey();
    if (object.marker) throw noSuchKey({ "x-amz-delete-marker": "true", "x-amz-version-id": object.version });
    return object;
  }
  const object = objectVersion(store, bucket, key, version);
  if (!object) throw new S3Error("NoSuchVersion", "The specified version does not exist.");
  if (!object.marker) return object;
  throw new S3Error("MethodNotAllowed", "The version is a delete marker, which has no content.", {
    "x-amz-delete-marker": "true",
    "x-amz-version-id": version,
    "last-modified": httpDate(object.modified),
  });
}

/** The response header with an object's version. Empty for a bucket without versioning. */
export function versionHeader(store: Store, bucket: string, version: string): Record<string, string> {
  return versioningOf(store, bucket) ? { "x-amz-version-id": version } : {};
}

export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

/** The current version of a key, which may be a delete marker. */
function currentObject(store: Store, bucket: string, key: string): StoredObject | undefined {
  const row = store
    .sql("SELECT * FROM object WHERE bucket = ? AND key = ? ORDER BY id DESC LIMIT 1")
    .get(bucket, Buffer.from(key));
  return row && readObject(row);
}

function objectVersion(store: Store, bucket: string, key: string, version: string): StoredObject | undefined {
  const row = store
    .sql("SELECT * FROM object WHERE bucket = ? AND key = ? AND version = ?")
    .get(bucket, Buffer.from(key), version);
  return row && readObject(row);
}

/**
 * Makes an object the current version of its key. Runs within a transaction. Throws PreconditionFailed, or NoSuchKey
 * when `If-Match` is given and the object does not exist.
 */
export function insertObject(
  store: Store,
  free: Free,
  bucket: string,
  key: string,
  object: NewObject,
  conditions: WriteConditions = {},
): { version: string | undefined } {
  const current = currentObject(store, bucket, key);
  checkWrite(current, conditions);
  return addVersion(store, free, bucket, key, object, false);
}

/**
 * Deletes a key. Without versioning this deletes the object; with versioning it adds a delete marker; with `version` it
 * deletes that version permanently. Runs within a transaction and returns the version that was added or deleted.
 */
export function deleteObject(
  store: Store,
  free: Free,
  bucket: string,
  key: string,
  options: { version?: string | undefined; ifMatch?: string | undefined } = {},
): { version: string | undefined; marker: boolean } {
  const current = currentObject(store, bucket, key);
  if (options.ifMatch !== undefined) checkDelete(current, options.ifMatch);
  if (options.version !== undefined) {
    const target = objectVersion(store, bucket, key, options.version);
    if (target) removeVersion(store, free, bucket, target);
    const versioned = versioningOf(store, bucket) !== undefined;
    return { version: versioned ? options.version : undefined, marker: target?.marker ?? false };
  }
  if (versioningOf(store, bucket) === undefined) {
    if (current) removeVersion(store, free, bucket, current);
    return { version: undefined, marker: false };
  }
  const marker = { parts: [], etag: "", metadata: { headers: {}, user: {} }, tags: [] };
  return { ...addVersion(store, free, bucket, key, marker, true), marker: true };
}

/** Deletes one version. If it was the current one, the version before it becomes current. Runs within a transaction. */
export function removeVersion(store: Store, free: Free, bucket: string, object: StoredObject): void {
  store.sql("DELETE FROM object WHERE id = ?").run(object.id);
  free(object.parts);
  if (!object.current) return;
  store
    .sql(`UPDATE object SET current = 1, superseded = NULL WHERE id = (
      SELECT max(id) FROM object WHERE bucket = ? AND key = ?)`)
    .run(bucket, Buffer.from(object.key));
}

export function setTags(store: Store, object: StoredObject, tags: readonly Tag[]): void {
  store.sql("UPDATE object SET tags = ? WHERE id = ?").run(JSON.stringify(tags), object.id);
}

export function setStorageClass(store: Store, object: StoredObject, storageClass: StorageClass): void {
  store.sql("UPDATE object SET storage_class = ? WHERE id = ?").run(storageClass, object.id);
}

/** Reads a row of the table `object`. */
export function readObject(row: Record<string, unknown>): StoredObject {
  return {
    id: Number(row.id),
    key: Buffer.from(row.key as Uint8Array).toString("utf8"),
    version: String(row.version),
    current: row.current === 1,
    marker: row.marker === 1,
    modified: Number(row.modified),
    superseded: row.superseded === null ? null : Number(row.superseded),
    size: Number(row.size),
    etag: String(row.etag),
    storageClass: row.storage_class as StorageClass,
    parts: JSON.parse(String(row.parts)) as Blob[],
    metadata: JSON.parse(String(row.metadata)) as Metadata,
    tags: JSON.parse(String(row.tags)) as Tag[],
  };
}

/** Whether a condition header lists this ETag. `*` matches every ETag. */
export function matchesEtag(condition: string, etag: string): boolean {
  return condition
    .split(",")
    .map((text) =>
      text
        .trim()
        .replace(/^W\//, "")
        .replace(/^"(.*)"$/, "$1"),
    )
    .some((text) => text === "*" || text === etag);
}

function addVersion(
  store: Store,
  free: Free,
  bucket: string,
  key: string,
  object: NewObject,
  marker: boolean,
): { version: string | undefined } {
  const versioning = versioningOf(store, bucket);
  const version = versioning === "Enabled" ? randomBytes(24).toString("base64url") : "null";
  const now = store.now();
  // Without versioning, or while it is suspended, each write replaces the version `null`.
  const replaced = version === "null" ? objectVersion(store, bucket, key, version) : undefined;
  if (replaced) {
    store.sql("DELETE FROM object WHERE id = ?").run(replaced.id);
    free(replaced.parts);
  }
  store
    .sql("UPDATE object SET current = 0, superseded = ? WHERE bucket = ? AND key = ? AND current = 1")
    .run(now, bucket, Buffer.from(key));
  store
    .sql(`INSERT INTO object
      (bucket, key, version, current, marker, modified, size, etag, storage_class, parts, metadata, tags)
      VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      bucket,
      Buffer.from(key),
      version,
      marker ? 1 : 0,
      now,
      object.parts.reduce((sum, part) => sum + part.size, 0),
      object.etag,
      "STANDARD",
      JSON.stringify(object.parts),
      JSON.stringify(object.metadata),
      JSON.stringify(object.tags),
    );
  return { version: versioning === undefined ? undefined : version };
}

function checkWrite(current: StoredObject | undefined, { ifMatch, ifNoneMatch }: WriteConditions): void {
  const exists = current !== undefined && !current.marker;
  if (ifNoneMatch !== undefined && exists) throw preconditionFailed("If-None-Match");
  if (ifMatch === undefined) return;
  if (!exists) throw noSuchKey();
  if (!matchesEtag(ifMatch, current.etag)) throw preconditionFailed("If-Match");
}

function checkDelete(current: StoredObject | undefined, ifMatch: string): void {
  if (!current) throw noSuchKey();
  if (current.marker || !matchesEtag(ifMatch, current.etag)) throw preconditionFailed("If-Match");
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error("PreconditionFailed", `The precondition ${condition} does not hold.`);
}

function noSuchKey(headers: Record<string, string> = {}): S3Error {
  return new S3Error("NoSuchKey", "The specified key does not exist.", headers);
}

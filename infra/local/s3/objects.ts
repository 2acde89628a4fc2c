import type { Blob } from "./blobs.ts";
import type { Checksum } from "./body.ts";
import type { Free, Store } from "./object-store.ts";
import { notImplemented, S3Error } from "./s3-error.ts";

/** The stored data of an object, apart from its body. */
export interface Metadata {
  /** Response headers in lower case: `content-type`, `cache-control`, … */
  headers: Readonly<Record<string, string>>;
  /** User metadata, without the `x-amz-meta-` prefix. */
  user: Readonly<Record<string, string>>;
  checksum?: Checksum | undefined;
  tags?: readonly Tag[];
}

interface Tag {
  Key: string;
  Value: string;
}

/** An object to write. */
interface NewObject {
  /** The files of its body, in order: one, or the parts of a multipart upload. */
  parts: readonly Blob[];
  /** Hex MD5 of the body, or of the parts' MD5s with `-<parts>`; without quotes. */
  etag: string;
  metadata: Metadata;
}

interface StoredObject extends NewObject {
  key: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

/** The preconditions of a write. */
interface WriteConditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

/** Throws NoSuchBucket. */
export function requireBucket(store: Store, name: string): void {
  if (store.sql("SELECT 1 FROM bucket WHERE name = ?").get(name) !== undefined) return;
  throw new S3Error("NoSuchBucket", "The specified bucket does not exist");
}

/** Throws NoSuchBucket or NoSuchKey. */
export function findObject(store: Store, bucket: string, key: string): StoredObject {
  requireBucket(store, bucket);
  return currentObject(store, bucket, key) ?? noSuchKey();
}

/** Reads `If-Match` and `If-None-Match` of a write. Throws NotImplemented for an ETag in `If-None-Match`, as S3 does. */
export function writeConditions({ header }: { header(name: string): string | undefined }): WriteConditions {
  const ifNoneMatch = header("if-none-match");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") throw notImplemented("If-None-Match with an ETag on a write");
  return { ifMatch: header("if-match"), ifNoneMatch };
}

/**
 * Writes an object in place of the one with the same key. Runs within a transaction. Throws NoSuchBucket, PreconditionFailed, or
 * NoSuchKey when `If-Match` is given and the object does not exist.
 */
export function insertObject(
  store: Store,
  free: Free,
  bucket: string,
  key: string,
  { parts, etag, metadata }: NewObject,
  { ifMatch, ifNoneMatch }: WriteConditions = {},
): void {
  requireBucket(store, bucket);
  const current = currentObject(store, bucket, key);
  if (ifNoneMatch !== undefined && current) throw preconditionFailed("If-None-Match");
  if (ifMatch !== undefined) checkMatch(current, ifMatch);
  if (current) free(current.parts);
  store
    .sql(
      "INSERT OR REPLACE INTO object (bucket, key, modified, size, etag, parts, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .run(
      bucket,
      Buffer.from(key),
      store.now(),
      parts.reduce((sum, { size }) => sum + size, 0),
      etag,
      JSON.stringify(parts),
      JSON.stringify(metadata),
    );
}

/** Deletes an object, if it exists. Runs within a transaction. Throws PreconditionFailed, or NoSuchKey when `ifMatch` is given. */
export function deleteObject(store: Store, free: Free, bucket: string, key: string, ifMatch?: string): void {
  const current = currentObject(store, bucket, key);
  if (ifMatch !== undefined) checkMatch(current, ifMatch);
  if (!current) return;
  store.sql("DELETE FROM object WHERE bucket = ? AND key = ?").run(bucket, Buffer.from(key));
  free(current.parts);
}

/** Replaces the metadata of an object. Runs within a transaction. */
export function setMetadata(store: Store, bucket: string, key: string, metadata: Metadata): void {
  store
    .sql("UPDATE object SET metadata = ? WHERE bucket = ? AND key = ?")
    .run(JSON.stringify(metadata), bucket, Buffer.from(key));
}

/** The objects with a prefix that were last modified at this time or earlier, up to a number. */
export function objectsUntil(store: Store, bucket: string, prefix: string, modified: number, max: number) {
  const start = Buffer.from(prefix);
  return store
    .sql("SELECT * FROM object WHERE bucket = ? AND key >= ? AND key < ? AND modified <= ? LIMIT ?")
    .all(bucket, start, successor(start), modified, max)
    .map(readObject);
}

interface ListingQuery {
  prefix: string;
  /** Keys with this text after the prefix are grouped into a common prefix that ends with it; empty = no grouping. */
  delimiter: string;
  /** The page starts after this key or common prefix. */
  after: string;
  max: number;
}

interface Listing {
  objects: StoredObject[];
  prefixes: string[];
  /** The last key or common prefix of this page, if another page follows. */
  next: string | undefined;
}

/** Lists one page of objects, in the order of their UTF-8 bytes. Takes time in proportion to the page, not the bucket. */
export function listObjects(store: Store, bucket: string, query: ListingQuery): Listing {
  const listing: Listing = { objects: [], prefixes: [], next: undefined };
  if (query.max === 0) return listing;
  const end = successor(Buffer.from(query.prefix));
  const statement = store.sql("SELECT * FROM object WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key");
  let from: Buffer | undefined = startOf(query);
  let last: string | undefined;
  while (from) {
    let jump: Buffer | undefined;
    for (const row of statement.iterate(bucket, from, end)) {
      if (listing.objects.length + listing.prefixes.length === query.max) return { ...listing, next: last };
      const object = readObject(row);
      const common = commonPrefix(object.key, query);
      last = common ?? object.key;
      if (common === undefined) listing.objects.push(object);
      else {
        listing.prefixes.push(common);
        // Skip all keys with the common prefix without reading them.
        jump = successor(Buffer.from(common));
        break;
      }
    }
    from = jump;
  }
  return listing;
}

/** Whether a condition header lists this ETag. `*` matches every ETag. */
export function matchesEtag(condition: string, etag: string): boolean {
  const listed = condition.split(",").map((text) => text.trim().replace(/^(?:W\/)?"(.*)"$/, "$1"));
  return listed.includes("*") || listed.includes(etag);
}

export function preconditionFailed(condition: string): S3Error {
  return new S3Error("PreconditionFailed", `The precondition ${condition} does not hold.`);
}

function checkMatch(current: StoredObject | undefined, ifMatch: string): void {
  if (!matchesEtag(ifMatch, (current ?? noSuchKey()).etag)) throw preconditionFailed("If-Match");
}

function noSuchKey(): never {
  throw new S3Error("NoSuchKey", "The specified key does not exist.");
}

function currentObject(store: Store, bucket: string, key: string): StoredObject | undefined {
  const row = store.sql("SELECT * FROM object WHERE bucket = ? AND key = ?").get(bucket, Buffer.from(key));
  return row && readObject(row);
}

function readObject(row: Record<string, unknown>): StoredObject {
  return {
    key: Buffer.from(row.key as Uint8Array).toString("utf8"),
    modified: Number(row.modified),
    size: Number(row.size),
    etag: String(row.etag),
    parts: JSON.parse(String(row.parts)) as Blob[],
    metadata: JSON.parse(String(row.metadata)) as Metadata,
  };
}

function startOf(query: ListingQuery): Buffer {
  const prefix = Buffer.from(query.prefix);
  const after = Buffer.from(query.after);
  const isCommon = query.after !== "" && commonPrefix(query.after, query) === query.after;
  const start = isCommon ? successor(after) : Buffer.concat([after, Buffer.of(0)]);
  return query.after !== "" && Buffer.compare(start, prefix) > 0 ? start : prefix;
}

function commonPrefix(key: string, { prefix, delimiter }: ListingQuery): string | undefined {
  if (delimiter === "" || !key.startsWith(prefix)) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The smallest byte string that sorts after all keys with the prefix. No UTF-8 text has a byte 0xff. */
function successor(prefix: Buffer): Buffer {
  if (prefix.length === 0) return Buffer.of(0xff);
  const next = Buffer.from(prefix);
  next[next.length - 1] = (next.at(-1) ?? 0) + 1;
  return next;
}

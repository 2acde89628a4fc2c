import type { Store } from "./object-store.ts";
import { readObject, type StoredObject } from "./objects.ts";

export interface ListingQuery {
  prefix: string;
  /** Keys with this text after the prefix are grouped into a common prefix that ends with it; empty = no grouping. */
  delimiter: string;
  /** The page starts after this key or common prefix. */
  after: string;
  /** The page starts with the versions of the key `after` that are older than this one. */
  afterVersion?: string | undefined;
  max: number;
}

export interface Listing {
  objects: StoredObject[];
  prefixes: string[];
  /** The last entry of this page, if another page follows. */
  next: { key: string; version: string | undefined } | undefined;
}

const LIVE =
  "SELECT * FROM object WHERE bucket = ? AND current = 1 AND marker = 0 AND key >= ? AND key < ? ORDER BY key";
const VERSIONS = "SELECT * FROM object WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, id DESC";

/** Lists one page of current objects, in the order of their UTF-8 bytes. Takes time in proportion to the page, not the bucket. */
export function listObjects(store: Store, bucket: string, query: ListingQuery): Listing {
  return list(store, bucket, query, LIVE);
}

/** Lists one page of all versions and delete markers, the newest of each key first. */
export function listVersions(store: Store, bucket: string, query: ListingQuery): Listing {
  return list(store, bucket, query, VERSIONS);
}

function list(store: Store, bucket: string, query: ListingQuery, statement: string): Listing {
  const listing: Listing = { objects: [], prefixes: [], next: undefined };
  if (query.max === 0) return listing;
  const end = successor(Buffer.from(query.prefix));
  const older = query.afterVersion === undefined ? undefined : idOf(store, bucket, query.after, query.afterVersion);
  let from: Buffer | undefined = startOf(query, older !== undefined);
  let last: Listing["next"];
  while (from) {
    let jump: Buffer | undefined;
    for (const row of store.sql(statement).iterate(bucket, from, end)) {
      const object = readObject(row);
      if (older !== undefined && object.key === query.after && object.id >= older) continue;
      if (listing.objects.length + listing.prefixes.length === query.max) return { ...listing, next: last };
      const common = commonPrefix(object.key, query);
      if (common === undefined) {
        listing.objects.push(object);
        last = { key: object.key, version: object.version };
      } else {
        listing.prefixes.push(common);
        last = { key: common, version: undefined };
        // Skip all keys with the common prefix without reading them.
        jump = successor(Buffer.from(common));
        break;
      }
    }
    from = jump;
  }
  return listing;
}

function startOf(query: ListingQuery, inclusive: boolean): Buffer {
  const prefix = Buffer.from(query.prefix);
  if (query.after === "") return prefix;
  const after = Buffer.from(query.after);
  const start =
    commonPrefix(query.after, query) === query.after
      ? successor(after)
      : inclusive
        ? after
        : Buffer.concat([after, Buffer.of(0)]);
  return Buffer.compare(start, prefix) > 0 ? start : prefix;
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

function idOf(store: Store, bucket: string, key: string, version: string): number | undefined {
  const row = store
    .sql("SELECT id FROM object WHERE bucket = ? AND key = ? AND version = ?")
    .get(bucket, Buffer.from(key), version);
  return row && Number(row.id);
}

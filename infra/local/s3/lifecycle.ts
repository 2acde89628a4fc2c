import { setImmediate } from "node:timers/promises";
import { allBuckets, getConfiguration } from "./buckets.ts";
import { type LifecycleRule, readRules } from "./lifecycle-rules.ts";
import type { Store } from "./object-store.ts";
import { deleteObject, type Free, readObject, removeVersion, type StoredObject, setStorageClass } from "./objects.ts";
import { deleteUpload, listParts, listUploads } from "./uploads.ts";

/** Milliseconds. */
const DAY = 86_400_000;
/** The versions that one transaction reads. The server answers requests between two transactions. */
const BATCH = 500;
/**
 * The smallest object that changes its class, in bytes:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
 */
const SMALLEST_TRANSITION = 128 * 1024;

/**
 * Applies the lifecycle rules of every bucket as of `now`. Returns the number of versions deleted, of objects that
 * changed their class and of uploads aborted.
 */
export async function applyLifecycle(store: Store, now: Date): Promise<number> {
  let changes = 0;
  for (const { name } of allBuckets(store)) {
    const document = getConfiguration(store, name, "lifecycle");
    if (document === undefined) continue;
    const rules = readRules(document);
    changes += await applyToObjects(store, name, rules, now.getTime());
    changes += await abortUploads(store, name, rules, now.getTime());
  }
  return changes;
}

/** The position of a version in the order of the index. */
interface Cursor {
  key: Buffer;
  id: number;
}

async function applyToObjects(store: Store, bucket: string, rules: LifecycleRule[], now: number): Promise<number> {
  let changes = 0;
  let after: Cursor | undefined = { key: Buffer.alloc(0), id: 0 };
  while (after) {
    const { key, id }: Cursor = after;
    after = await store.commit((free): Cursor | undefined => {
      const rows = store
        .sql(`SELECT * FROM object WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR id < ?3)
          ORDER BY key, id DESC LIMIT ?4`)
        .all(bucket, key, id, BATCH);
      for (const object of rows.map(readObject)) {
        const applicable = rules.filter(({ prefix }) => object.key.startsWith(prefix));
        if (applyToObject(store, free, bucket, object, applicable, now)) changes += 1;
      }
      const last = rows.at(-1);
      return last && rows.length === BATCH
        ? { key: Buffer.from(last.key as Uint8Array), id: Number(last.id) }
        : undefined;
    });
    await setImmediate();
  }
  return changes;
}

/** Returns whether a rule changed or deleted this version. */
function applyToObject(
  store: Store,
  free: Free,
  bucket: string,
  object: StoredObject,
  rules: LifecycleRule[],
  now: number,
): boolean {
  const { modified, superseded } = object;
  if (superseded !== null) {
    if (!rules.some(({ noncurrentExpireAfter }) => isDue(noncurrentExpireAfter, superseded, now))) return false;
    removeVersion(store, free, bucket, object);
    return true;
  }
  const expires = rules.some(({ expireAfter }) => isDue(expireAfter, modified, now));
  if (object.marker) {
    if (!expires && !rules.some(({ expiredMarkers }) => expiredMarkers)) return false;
    if (!isOnlyVersion(store, bucket, object)) return false;
    removeVersion(store, free, bucket, object);
    return true;
  }
  if (expires) {
    deleteObject(store, free, bucket, object.key);
    return true;
  }
  if (object.storageClass !== "STANDARD" || object.size < SMALLEST_TRANSITION) return false;
  if (!rules.some(({ transitionAfter }) => isDue(transitionAfter, modified, now))) return false;
  setStorageClass(store, object, "GLACIER_IR");
  return true;
}

/** S3 counts whole days and acts at the midnight (UTC) that follows. */
function isDue(days: number | undefined, since: number, now: number): boolean {
  return days !== undefined && now >= Math.ceil((since + days * DAY) / DAY) * DAY;
}

function isOnlyVersion(store: Store, bucket: string, object: StoredObject): boolean {
  const other = store.sql("SELECT 1 FROM object WHERE bucket = ? AND key = ? AND id <> ? LIMIT 1");
  return other.get(bucket, Buffer.from(object.key), object.id) === undefined;
}

async function abortUploads(store: Store, bucket: string, rules: LifecycleRule[], now: number): Promise<number> {
  return store.commit((free) => {
    const stale = listUploads(store, bucket).filter(({ key, initiated }) =>
      rules.some(({ prefix, abortUploadsAfter }) => key.startsWith(prefix) && isDue(abortUploadsAfter, initiated, now)),
    );
    for (const { id } of stale) {
      free(listParts(store, id));
      deleteUpload(store, id);
    }
    return stale.length;
  });
}

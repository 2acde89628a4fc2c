import { setImmediate } from "node:timers/promises";
import type { Blob } from "./blobs.ts";
import { getConfiguration, listBuckets } from "./buckets.ts";
import { type LifecycleRule, matches, type Noncurrent, readRules, type When } from "./lifecycle-rules.ts";
import { deleteObject, readObject, removeVersion, type StoredObject, setStorageClass } from "./objects.ts";
import type { Store } from "./store.ts";
import { deleteUpload, listParts } from "./uploads.ts";

/** Milliseconds. */
const DAY = 86_400_000;
/** Versions looked at in one transaction: requests are served between two of them. */
const BATCH = 500;
/** Smaller objects do not change their class unless a rule asks for them by size. */
const SMALLEST_TRANSITION = 128 * 1024;
/** From warm to cold: objects only move down. */
const temperatures = [
  "STANDARD",
  "STANDARD_IA",
  "INTELLIGENT_TIERING",
  "ONEZONE_IA",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
];

/** Carries out the lifecycle rules of every bucket as of `now`; returns how many things it deleted, moved or aborted. */
export async function applyLifecycle(store: Store, now: Date): Promise<number> {
  let done = 0;
  for (const { name } of listBuckets(store)) {
    const document = getConfiguration(store, name, "lifecycle");
    if (document === undefined) continue;
    const rules = readRules(document);
    const smallToo = getConfiguration(store, name, "lifecycle-minimum") === "varies_by_storage_class";
    done += await applyToObjects(store, name, rules, { now: now.getTime(), smallToo });
    done += await abortUploads(store, name, rules, now.getTime());
  }
  return done;
}

interface Circumstances {
  /** Milliseconds since 1970. */
  now: number;
  /** `varies_by_storage_class`: the two Glacier classes take objects of any size. */
  smallToo: boolean;
}

async function applyToObjects(
  store: Store,
  bucket: string,
  rules: LifecycleRule[],
  circumstances: Circumstances,
): Promise<number> {
  let done = 0;
  let after: Cursor | undefined = { key: Buffer.alloc(0), id: 0 };
  let [rankedKey, rank] = ["", 0];
  while (after) {
    const { key, id }: Cursor = after;
    after = await store.commit((free): Cursor | undefined => {
      const rows = store
        .sql(`SELECT * FROM object WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR id < ?3)
          ORDER BY key, id DESC LIMIT ?4`)
        .all(bucket, key, id, BATCH);
      for (const object of rows.map(readObject)) {
        // How many newer noncurrent versions of the same key there are.
        if (object.key !== rankedKey) [rankedKey, rank] = [object.key, 0];
        const applicable = rules.filter(({ filter }) => matches(filter, object));
        if (applyToObject(store, free, bucket, object, rank, applicable, circumstances)) done += 1;
        if (!object.current) rank += 1;
      }
      const last = rows.at(-1);
      return last && rows.length === BATCH
        ? { key: Buffer.from(last.key as Uint8Array), id: Number(last.id) }
        : undefined;
    });
    await setImmediate();
  }
  return done;
}

/** A version in the order of the index. */
interface Cursor {
  key: Buffer;
  id: number;
}

type Free = (blobs: readonly Blob[]) => void;

function applyToObject(
  store: Store,
  free: Free,
  bucket: string,
  object: StoredObject,
  rank: number,
  rules: LifecycleRule[],
  circumstances: Circumstances,
): boolean {
  const { now } = circumstances;
  if (object.current && object.marker) {
    const due = rules.some(
      ({ expiredMarkers, expiration }) => expiredMarkers || isDue(expiration, object.modified, now),
    );
    if (!due || !isOnlyVersion(store, bucket, object)) return false;
    removeVersion(store, free, bucket, object);
    return true;
  }
  if (object.current && rules.some(({ expiration }) => isDue(expiration, object.modified, now))) {
    deleteObject(store, free, bucket, object.key);
    return true;
  }
  const since = object.superseded ?? object.modified;
  const isPast = (rule: Noncurrent | undefined): boolean =>
    rule !== undefined && rank >= rule.keep && isDue({ days: rule.days }, since, now);
  if (!object.current && rules.some(({ noncurrentExpiration }) => isPast(noncurrentExpiration))) {
    removeVersion(store, free, bucket, object);
    return true;
  }
  const targets = rules.flatMap((rule) =>
    (object.current
      ? rule.transitions.filter((transition) => isDue(transition, object.modified, now))
      : rule.noncurrentTransitions.filter(isPast)
    )
      .map(({ storageClass }) => storageClass)
      .filter((storageClass) => isBigEnough(object, rule, storageClass, circumstances)),
  );
  const coldest = targets.sort((a, b) => temperatures.indexOf(b) - temperatures.indexOf(a))[0];
  if (!coldest || temperatures.indexOf(coldest) <= temperatures.indexOf(object.storageClass)) return false;
  setStorageClass(store, object, coldest);
  return true;
}

/** S3 counts whole days and acts at the midnight (UTC) that follows. */
function isDue(when: When | undefined, since: number, now: number): boolean {
  if (when === undefined) return false;
  return now >= ("date" in when ? when.date : Math.ceil((since + when.days * DAY) / DAY) * DAY);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html */
function isBigEnough(
  object: StoredObject,
  { filter }: LifecycleRule,
  target: string,
  { smallToo }: Circumstances,
): boolean {
  if (object.marker) return false;
  if (filter.greaterThan !== undefined || filter.lessThan !== undefined) return true;
  if (smallToo && ["GLACIER", "DEEP_ARCHIVE"].includes(target)) return true;
  return object.size >= SMALLEST_TRANSITION;
}

function isOnlyVersion(store: Store, bucket: string, object: StoredObject): boolean {
  const other = store.sql("SELECT 1 FROM object WHERE bucket = ? AND key = ? AND id <> ? LIMIT 1");
  return other.get(bucket, Buffer.from(object.key), object.id) === undefined;
}

async function abortUploads(store: Store, bucket: string, rules: LifecycleRule[], now: number): Promise<number> {
  return store.commit((free) => {
    const rows = store.sql("SELECT id, key, initiated FROM upload WHERE bucket = ?").all(bucket);
    const stale = rows.filter((row) =>
      rules.some(
        ({ abortUploads: days, filter }) =>
          days !== undefined &&
          Buffer.from(row.key as Uint8Array)
            .toString("utf8")
            .startsWith(filter.prefix) &&
          isDue({ days }, Number(row.initiated), now),
      ),
    );
    for (const { id } of stale) {
      free(listParts(store, String(id)));
      deleteUpload(store, String(id));
    }
    return stale.length;
  });
}

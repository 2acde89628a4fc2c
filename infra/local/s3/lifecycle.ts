import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import type { Store } from "./object-store.ts";
import { deleteObject, objectsUntil } from "./objects.ts";
import { deleteUpload, listUploads } from "./uploads.ts";
import { parseXml } from "./xml.ts";

/** Milliseconds. */
const DAY = 86_400_000;
/** The objects that one transaction deletes. The server answers requests between two transactions. */
const BATCH = 500;

/** A rule of a bucket's lifecycle. It applies to keys with the prefix. An age is in days; absent = never. */
export interface LifecycleRule {
  prefix: string;
  expireAfter?: number | undefined;
  abortUploadsAfter?: number | undefined;
}

const days = z.coerce.number().int().min(1);
const lifecycle = z.strictObject({
  Rule: z.array(
    z.strictObject({
      ID: z.string().optional(),
      Status: z.enum(["Enabled", "Disabled"]),
      // The XML parser reads an element without content as an empty text.
      Filter: z.preprocess((value) => value || {}, z.strictObject({ Prefix: z.string().default("") })),
      Expiration: z.strictObject({ Days: days }).optional(),
      AbortIncompleteMultipartUpload: z.strictObject({ DaysAfterInitiation: days }).optional(),
    }),
  ),
});

/** Reads the enabled rules of a lifecycle document. Throws MalformedXML for a rule that this server cannot apply. */
export function readRules(document: string): LifecycleRule[] {
  return parseXml(document, "LifecycleConfiguration", lifecycle)
    .Rule.filter(({ Status }) => Status === "Enabled")
    .map(({ Filter, Expiration, AbortIncompleteMultipartUpload }) => ({
      prefix: Filter.Prefix,
      expireAfter: Expiration?.Days,
      abortUploadsAfter: AbortIncompleteMultipartUpload?.DaysAfterInitiation,
    }));
}

/** Applies the lifecycle rules of every bucket as of `now`. Returns the number of objects deleted and of uploads aborted. */
export async function applyLifecycle(store: Store, now: number): Promise<number> {
  // S3 counts whole days and acts at the midnight (UTC) that follows.
  const latest = (age: number) => Math.floor(now / DAY) * DAY - age * DAY;
  let changes = 0;
  for (const { name, lifecycle } of store.sql("SELECT name, lifecycle FROM bucket").all()) {
    const bucket = String(name);
    for (const { prefix, expireAfter, abortUploadsAfter } of JSON.parse(String(lifecycle)) as LifecycleRule[]) {
      if (expireAfter !== undefined) changes += await expire(store, bucket, prefix, latest(expireAfter));
      if (abortUploadsAfter !== undefined) {
        const stale = listUploads(store, bucket, prefix).filter(
          ({ initiated }) => initiated <= latest(abortUploadsAfter),
        );
        await store.commit((free) => {
          for (const { id } of stale) deleteUpload(store, free, id);
        });
        changes += stale.length;
      }
    }
  }
  return changes;
}

async function expire(store: Store, bucket: string, prefix: string, latest: number): Promise<number> {
  for (let total = 0; ; await setImmediate()) {
    const count = await store.commit((free) => {
      const due = objectsUntil(store, bucket, prefix, latest, BATCH);
      for (const { key } of due) deleteObject(store, free, bucket, key);
      return due.length;
    });
    total += count;
    if (count < BATCH) return total;
  }
}

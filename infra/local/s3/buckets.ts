import { S3Error } from "./error.ts";
import type { Store } from "./store.ts";

export interface Bucket {
  name: string;
  /** Milliseconds since 1970. */
  created: number;
}

export function findBucket(store: Store, name: string): Bucket | undefined {
  const row = store.sql("SELECT name, created FROM bucket WHERE name = ?").get(name);
  return row && readBucket(row);
}

/** Throws NoSuchBucket. */
export function requireBucket(store: Store, name: string | undefined): string {
  if (name === undefined || !findBucket(store, name)) {
    throw new S3Error("NoSuchBucket", "The specified bucket does not exist", { elements: { BucketName: name ?? "" } });
  }
  return name;
}

export function listBuckets(store: Store): Bucket[] {
  return store.sql("SELECT name, created FROM bucket ORDER BY name").all().map(readBucket);
}

/** Throws InvalidBucketName or BucketAlreadyOwnedByYou. */
export async function createBucket(store: Store, name: string): Promise<void> {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes("..")) {
    throw new S3Error("InvalidBucketName", "The specified bucket is not valid.", { elements: { BucketName: name } });
  }
  await store.commit(() => {
    if (findBucket(store, name)) {
      throw new S3Error(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
      );
    }
    store.sql("INSERT INTO bucket (name, created) VALUES (?, ?)").run(name, store.now());
  });
}

/** Deletes an empty bucket, with its configurations and unfinished uploads. Throws BucketNotEmpty. */
export async function deleteBucket(store: Store, name: string): Promise<void> {
  await store.commit((free) => {
    requireBucket(store, name);
    if (store.sql("SELECT 1 FROM object WHERE bucket = ? LIMIT 1").get(name)) {
      throw new S3Error("BucketNotEmpty", "The bucket you tried to delete is not empty");
    }
    const parts = store
      .sql("SELECT blob, size FROM upload_part WHERE upload IN (SELECT id FROM upload WHERE bucket = ?)")
      .all(name);
    free(parts.map(({ blob, size }) => ({ id: String(blob), size: Number(size) })));
    store.sql("DELETE FROM upload_part WHERE upload IN (SELECT id FROM upload WHERE bucket = ?)").run(name);
    store.sql("DELETE FROM upload WHERE bucket = ?").run(name);
    store.sql("DELETE FROM configuration WHERE bucket = ?").run(name);
    store.sql("DELETE FROM bucket WHERE name = ?").run(name);
  });
}

/** A stored document of a bucket: its lifecycle, its policy, … */
export function getConfiguration(store: Store, bucket: string, kind: string): string | undefined {
  const row = store.sql("SELECT body FROM configuration WHERE bucket = ? AND kind = ?").get(bucket, kind);
  return row && String(row.body);
}

export async function setConfiguration(store: Store, bucket: string, kind: string, body: string): Promise<void> {
  await store.commit(() => {
    requireBucket(store, bucket);
    store.sql("INSERT OR REPLACE INTO configuration (bucket, kind, body) VALUES (?, ?, ?)").run(bucket, kind, body);
  });
}

export async function deleteConfiguration(store: Store, bucket: string, kind: string): Promise<void> {
  await store.commit(() => {
    store.sql("DELETE FROM configuration WHERE bucket = ? AND kind = ?").run(bucket, kind);
  });
}

/** `undefined` = never switched on. */
export function versioningOf(store: Store, bucket: string): "Enabled" | "Suspended" | undefined {
  const status = getConfiguration(store, bucket, "versioning");
  return status === "Enabled" || status === "Suspended" ? status : undefined;
}

function readBucket(row: Record<string, unknown>): Bucket {
  return { name: String(row.name), created: Number(row.created) };
}

import type { Store } from "./object-store.ts";
import { S3Error } from "./s3-error.ts";

export interface Bucket {
  name: string;
  /** Milliseconds since 1970. */
  created: number;
}

type ConfigurationKind = "versioning" | "lifecycle";

/** Returns the name. Throws NoSuchBucket. */
export function requireBucket(store: Store, name: string | undefined): string {
  if (name !== undefined && exists(store, name)) return name;
  throw new S3Error("NoSuchBucket", "The specified bucket does not exist");
}

export function allBuckets(store: Store): Bucket[] {
  const rows = store.sql("SELECT name, created FROM bucket ORDER BY name").all();
  return rows.map(({ name, created }) => ({ name: String(name), created: Number(created) }));
}

/** Throws InvalidBucketName or BucketAlreadyOwnedByYou. */
export async function insertBucket(store: Store, name: string): Promise<void> {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes("..")) {
    throw new S3Error("InvalidBucketName", `The bucket name "${name}" is not valid.`);
  }
  await store.commit(() => {
    if (exists(store, name)) {
      throw new S3Error(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
      );
    }
    store.sql("INSERT INTO bucket (name, created) VALUES (?, ?)").run(name, store.now());
  });
}

export function getConfiguration(store: Store, bucket: string, kind: ConfigurationKind): string | undefined {
  const row = store.sql("SELECT body FROM configuration WHERE bucket = ? AND kind = ?").get(bucket, kind);
  return row && String(row.body);
}

export async function setConfiguration(
  store: Store,
  bucket: string,
  kind: ConfigurationKind,
  body: string,
): Promise<void> {
  await store.commit(() => {
    requireBucket(store, bucket);
    store.sql("INSERT OR REPLACE INTO configuration (bucket, kind, body) VALUES (?, ?, ?)").run(bucket, kind, body);
  });
}

/** `undefined` = versioning was never enabled. */
export function versioningOf(store: Store, bucket: string): "Enabled" | "Suspended" | undefined {
  const status = getConfiguration(store, bucket, "versioning");
  return status === "Enabled" || status === "Suspended" ? status : undefined;
}

function exists(store: Store, name: string): boolean {
  return store.sql("SELECT 1 FROM bucket WHERE name = ?").get(name) !== undefined;
}

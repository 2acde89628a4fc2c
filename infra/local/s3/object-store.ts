import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Blob, type Blobs, openBlobs } from "./blobs.ts";
import { createGroupedSync } from "./grouped-sync.ts";

/**
 * The data of the server: bodies in files that never change, and a SQLite index with the metadata and the files of each
 * object. A write first puts the body on the disk and then becomes visible by one transaction. A crash before the
 * transaction leaves an unused file, which the next start deletes.
 */
export interface Store {
  blobs: Blobs;
  /** The time of writes, in milliseconds since 1970. */
  now(): number;
  /** Prepares a statement of the index. */
  sql(text: string): StatementSync;
  /**
   * Runs `work` as one transaction and resolves when it is on the disk. Then deletes the blobs that `work` passed to
   * `free`. When `work` throws, nothing changes.
   */
  commit<T>(work: (free: (blobs: readonly Blob[]) => void) => T): Promise<T>;
  close(): Promise<void>;
}

const SCHEMA_VERSION = 1;

const schema = `
  CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT;
  CREATE TABLE configuration (
    bucket TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bucket, kind)
  ) STRICT, WITHOUT ROWID;
  -- A version of an object or a delete marker. Ids increase, so the largest id of a key is the current version. Keys are
  -- bytes, because bytes sort as S3 sorts keys and hold any character.
  CREATE TABLE object (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL, key BLOB NOT NULL, version TEXT NOT NULL,
    current INTEGER NOT NULL, marker INTEGER NOT NULL,
    modified INTEGER NOT NULL, superseded INTEGER,
    size INTEGER NOT NULL, etag TEXT NOT NULL, storage_class TEXT NOT NULL,
    parts TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL
  ) STRICT;
  CREATE INDEX object_versions ON object (bucket, key, id DESC);
  -- The index of listings. It has no old versions and no deleted keys, so these do not slow down a listing.
  CREATE UNIQUE INDEX object_live ON object (bucket, key) WHERE current = 1 AND marker = 0;
  CREATE TABLE upload (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, initiated INTEGER NOT NULL,
    storage_class TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL, algorithm TEXT, checksum_type TEXT
  ) STRICT;
  CREATE INDEX upload_key ON upload (bucket, key);
  CREATE TABLE upload_part (
    upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    checksum TEXT, modified INTEGER NOT NULL, PRIMARY KEY (upload, number)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Opens the store in a directory of its own. Throws an Error when another process uses the directory. */
export async function openStore(directory: string, now: () => number = Date.now): Promise<Store> {
  await mkdir(path.join(directory, "objects"), { recursive: true });
  const file = path.join(directory, "index.sqlite");
  const database = openIndex(file);
  // SQLite syncs the index at checkpoints only. This syncs its log, in another thread and once for many commits.
  const log = await open(`${file}-wal`, "r+");
  const syncLog = createGroupedSync(() => log.datasync());
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const statement = statements.get(text) ?? database.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  const blobs = openBlobs(path.join(directory, "objects"), now);
  await blobs.sweep(referenced(sql));
  return {
    blobs,
    now,
    sql,
    commit: async (work) => {
      const freed: Blob[] = [];
      const result = transact(database, () => work((unused) => freed.push(...unused)));
      await syncLog();
      await blobs.remove(freed);
      return result;
    },
    close: async () => {
      await syncLog();
      await log.close();
      database.close();
    },
  };
}

/** SQLite's error code for a database that another process has locked. */
const SQLITE_BUSY = 5;

function openIndex(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) {
      throw new Error(`${file} is in use by another process. Stop that process or choose another directory.`, {
        cause,
      });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${file} cannot be read (${why}). Restore it from a copy, or start empty with --fresh.`, { cause });
  }
  const version = database.prepare("PRAGMA user_version").get()?.user_version;
  if (version === 0) transact(database, () => database.exec(schema));
  else if (version !== SCHEMA_VERSION) {
    database.close();
    throw new Error(`${file} was written by another version of the local S3 server. Start with an empty directory.`);
  }
  // A write creates the log file, which must exist so that it can be synced.
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  return database;
}

function transact<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function referenced(sql: Store["sql"]): Set<string> {
  const keep = new Set<string>();
  const rows = sql(`
    SELECT json_extract(part.value, '$.id') AS id FROM object, json_each(object.parts) AS part
    UNION ALL SELECT blob FROM upload_part`);
  for (const { id } of rows.iterate()) keep.add(String(id));
  return keep;
}

import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Blob, type Blobs, openBlobs } from "./blobs.ts";
import { createGroupedSync } from "./grouped-sync.ts";

/**
 * What the server keeps: bodies as files that never change, and one SQLite index that says which of them an object
 * consists of, with all of its metadata. A write puts the body on the disk first and then becomes visible, whole, by
 * one transaction; a crash before that leaves a file that nothing refers to, which the next start removes.
 */
export interface Store {
  blobs: Blobs;
  /** The time that objects and uploads are stamped with, in epoch milliseconds. */
  now(): number;
  /** A prepared statement of the index. */
  sql(text: string): StatementSync;
  /**
   * Runs `work` as one transaction, with nothing else in between, and resolves when it is on the disk. The blobs given
   * to `free` are deleted then. When `work` throws, nothing has changed.
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
  -- A version of an object or a delete marker. Ids grow, so the greatest of a key is the current one. Keys are bytes:
  -- they sort as S3 sorts them, and hold any character.
  CREATE TABLE object (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL, key BLOB NOT NULL, version TEXT NOT NULL,
    current INTEGER NOT NULL, marker INTEGER NOT NULL,
    modified INTEGER NOT NULL, superseded INTEGER,
    size INTEGER NOT NULL, etag TEXT NOT NULL, storage_class TEXT NOT NULL,
    parts TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL
  ) STRICT;
  CREATE INDEX object_versions ON object (bucket, key, id DESC);
  -- What a listing shows, and only that: neither old versions nor deleted keys slow it down.
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

/** Opens the store in a directory of its own. Throws when another process has it open. */
export async function openStore(directory: string, now: () => number = Date.now): Promise<Store> {
  await mkdir(path.join(directory, "objects"), { recursive: true });
  const file = path.join(directory, "index.sqlite");
  const database = openIndex(file);
  // The index itself syncs only at checkpoints; the log is synced here, off the main thread and for many commits at once.
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

/** SQLite's code for a database that another process has locked. */
const SQLITE_BUSY = 5;

function openIndex(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) {
      throw new Error(`${file} is in use by another process.`, { cause });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${file} cannot be read (${why}). Restore it from a copy, or start empty with --fresh.`, { cause });
  }
  const version = database.prepare("PRAGMA user_version").get()?.user_version;
  if (version === 0) transact(database, () => database.exec(schema));
  else if (version !== SCHEMA_VERSION) {
    database.close();
    throw new Error(`${file} was written by another version of the local S3 server; start with an empty directory.`);
  }
  // Any write makes the log file, which has to be there to be synced.
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

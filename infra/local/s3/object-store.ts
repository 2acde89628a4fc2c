import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { readStored } from "../read-stored.ts";
import { type Blob, type Blobs, openBlobs } from "./blobs.ts";

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
   * Runs `work` as one transaction, which is on the disk afterwards. Then deletes the blobs that `work` passed to `free`. When `work`
   * throws, nothing changes.
   */
  commit<T>(work: (free: Free) => T): Promise<T>;
  close(): void;
}

/** Deletes files once the transaction is on the disk. */
export type Free = (blobs: readonly Blob[]) => void;

const SCHEMA_VERSION = 2;

// Keys are bytes, because bytes sort as S3 sorts keys and hold any character.
const schema = `
  CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL, lifecycle TEXT NOT NULL DEFAULT '[]') STRICT;
  CREATE TABLE object (
    bucket TEXT NOT NULL, key BLOB NOT NULL, modified INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    parts TEXT NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (bucket, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE upload (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, initiated INTEGER NOT NULL, metadata TEXT NOT NULL
  ) STRICT;
  CREATE TABLE upload_part (
    upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    PRIMARY KEY (upload, number)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Opens the store in a directory that nothing else uses: the host holds the lock of its data directory. */
export async function openStore(directory: string, now: () => number = Date.now): Promise<Store> {
  const blobs = openBlobs(path.join(directory, "objects"));
  const database = openIndex(path.join(directory, "index.sqlite"));
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const statement = statements.get(text) ?? database.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  const used = sql(`
    SELECT json_extract(part.value, '$.id') AS id FROM object, json_each(object.parts) AS part
    UNION ALL SELECT blob FROM upload_part`);
  await blobs.sweep(new Set(used.all().map(({ id }) => String(id))));
  return {
    blobs,
    now,
    sql,
    async commit(work) {
      const freed: Blob[] = [];
      const result = transact(database, () => work((unused) => freed.push(...unused)));
      await blobs.remove(freed);
      return result;
    },
    close: () => database.close(),
  };
}

function openIndex(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  readStored(file, "Restore it from a copy, or start empty with --fresh.", () =>
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"),
  );
  const version = database.prepare("PRAGMA user_version").get()?.user_version;
  if (version === 0) transact(database, () => database.exec(schema));
  else if (version !== SCHEMA_VERSION) {
    database.close();
    throw new Error(`${file} was written by another version of the local S3 server. Start empty with --fresh.`);
  }
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

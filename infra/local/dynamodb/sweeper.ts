import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { indexTtl, quote, type TtlTable, ttlTables } from "./ttl-index.ts";

/** The identity of TTL deletions in the stream. */
export const TTL_SERVICE = { type: "Service", principalId: "dynamodb.amazonaws.com" };

/** Items per transaction. The engine waits during a transaction. */
const BATCH = 100;

/** Milliseconds between two attempts while the engine is in a transaction, and the number of attempts. */
const BUSY_DELAY = 5;
const MAX_ATTEMPTS = 1_000;

/** SQLite's code when another connection is writing to the database. */
const SQLITE_BUSY = 5;

/**
 * Creates a function that deletes expired items from the database of the running engine and resolves with their number. Per item, it
 * deletes the index entries and writes the stream record in the same transaction. One sweep runs at a time.
 * @param db a connection that does not block this process when the database is busy
 * @param ahead seconds by which the clock of this process is ahead of the engine's; records get the time of the engine
 */
export function createSweeper(db: DatabaseSync, ahead = 0) {
  let running: Promise<number> | undefined;

  const sweep = async () => {
    await untilFree(() => indexTtl(db));
    let deleted = 0;
    for (const table of ttlTables(db)) {
      let batch: number;
      do {
        if (!hasExpired(db, table)) break;
        batch = await untilFree(() => deleteExpired(db, table, ahead));
        deleted += batch;
      } while (batch === BATCH);
    }
    return deleted;
  };

  const sweepOnce = (): Promise<number> => {
    running ??= sweep().finally(() => {
      running = undefined;
    });
    return running;
  };
  /** Resolves when the current sweep has ended or failed. */
  const finished = async (): Promise<void> => void (await running?.catch(() => undefined));
  return Object.assign(sweepOnce, { finished });
}

const secondsNow = (): number => Math.floor(Date.now() / 1000);

const hasExpired = (db: DatabaseSync, { name, time }: TtlTable): boolean =>
  db.prepare(`SELECT 1 FROM ${quote(name)} WHERE ${time} < ? LIMIT 1`).get(secondsNow()) !== undefined;

function deleteExpired(db: DatabaseSync, table: TtlTable, ahead: number): number {
  db.exec("BEGIN IMMEDIATE");
  try {
    const name = quote(table.name);
    const expired = db
      .prepare(`SELECT pk, sk, item_json FROM ${name} WHERE ${table.time} < ? LIMIT ${BATCH}`)
      .all(secondsNow()) as { pk: string; sk: string; item_json: string }[];
    const fromTable = db.prepare(`DELETE FROM ${name} WHERE pk = ? AND sk = ?`);
    const fromIndexes = indexesOf(db, table.name).map((index) =>
      index.includes("::lsi::")
        ? db.prepare(`DELETE FROM ${quote(index)} WHERE base_pk = ? AND base_sk = ?`)
        : db.prepare(`DELETE FROM ${quote(index)} WHERE table_pk = ? AND table_sk = ?`),
    );
    const record = recordRemovals(db, table, ahead);
    for (const { pk, sk, item_json } of expired) {
      fromTable.run(pk, sk);
      for (const fromIndex of fromIndexes) fromIndex.run(pk, sk);
      record?.(item_json);
    }
    db.exec("COMMIT");
    return expired.length;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** The engine's tables for the secondary and vector indexes of a table. */
function indexesOf(db: DatabaseSync, table: string): string[] {
  const prefix = `${table}::`;
  return db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?")
    .all(prefix.length, prefix)
    .map(({ name }) => String(name));
}

/** Returns a function that writes the stream record of a deletion, with the next sequence number; undefined without a stream. */
function recordRemovals(db: DatabaseSync, { name, keySchema, streamView }: TtlTable, ahead: number) {
  if (streamView === undefined) return undefined;
  const insert = db.prepare(
    `INSERT INTO _stream_records
       (table_name, event_name, keys_json, new_image, old_image, sequence_number, shard_id, created_at, user_identity)
     SELECT ?1, 'REMOVE', ?2, NULL, ?3, CAST(COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 AS TEXT), ?4, ?5, ?6
     FROM _stream_records WHERE table_name = ?1`,
  );
  return (itemJson: string) => {
    const item = JSON.parse(itemJson);
    const keys = Object.fromEntries(keySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
    const image = streamView.includes("OLD") ? itemJson : null;
    insert.run(
      name,
      JSON.stringify(keys),
      image,
      `shardId-00000001-${name}`,
      secondsNow() - ahead,
      JSON.stringify(TTL_SERVICE),
    );
  };
}

async function untilFree<T>(work: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || attempt === MAX_ATTEMPTS) throw error;
    }
    await sleep(BUSY_DELAY);
  }
}

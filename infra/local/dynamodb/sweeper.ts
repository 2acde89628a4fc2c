import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { TTL_SERVICE } from "./expired-mark.ts";
import { indexTtl, quote, type TtlTable, ttlTables } from "./ttl-index.ts";

/** Items deleted in one transaction: the engine waits meanwhile. */
const BATCH = 100;

/** Milliseconds between two looks at whether the engine has ended its own transaction, and how many looks. */
const BUSY_DELAY = 5;
const MAX_ATTEMPTS = 1_000;

/** SQLite's code for a database that another connection is writing to. */
const SQLITE_BUSY = 5;

/**
 * Makes the function that deletes expired items from the engine's live database and resolves with how many, as the engine
 * would itself: with their index entries and records of the stream, an item whole or not at all. One sweep runs at a time.
 * @param db a connection that does not wait when the database is busy: this process has other things to do
 * @param ahead seconds by which this process's clock is ahead of the engine's, which all records are stamped by
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
  /** Resolves when the sweep under way has ended, however it did. */
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

/** The engine's tables that hold the entries of a table's secondary and vector indexes. */
function indexesOf(db: DatabaseSync, table: string): string[] {
  const prefix = `${table}::`;
  return db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?")
    .all(prefix.length, prefix)
    .map(({ name }) => String(name));
}

/** What writes the record of an item's deletion, numbered as the engine numbers its own; undefined = there is no stream. */
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

import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** The identity of TTL deletions in the stream. */
export const TTL_SERVICE = { type: "Service", principalId: "dynamodb.amazonaws.com" };

/** Items per transaction. Few, because the engine waits during a transaction. */
const BATCH = 100;

/** Milliseconds between two attempts while the engine is in a transaction, and the maximum number of attempts. */
const BUSY_DELAY = 5;
const MAX_ATTEMPTS = 1_000;

/** SQLite's code when another connection is writing to the database. */
const SQLITE_BUSY = 5;

/** A table of the engine that has TTL. Its name is quoted for SQL in `table`. */
interface TtlTable {
  name: string;
  table: string;
  keySchema: { AttributeName: string }[];
  /** View type of its stream; undefined without a stream. */
  streamView: string | undefined;
  /** SQL expression for the expiry time of an item, and the quoted name of the index on it. */
  time: string;
  index: string;
}

/**
 * Adds an index of the expiry times to every table with TTL. The engine's own sweep locks the database while it parses all items of all
 * tables, and an item with a vector takes 2 ms.
 */
export function indexTtl(db: DatabaseSync): void {
  for (const { index, table, time } of ttlTables(db)) {
    db.exec(`CREATE INDEX IF NOT EXISTS ${index} ON ${table}(${time}) WHERE ${time} IS NOT NULL`);
  }
}

/**
 * Creates a function that deletes expired items from the database of the running engine and resolves with their number. Per item, it
 * deletes the index entries and writes the stream record in the same transaction. One sweep runs at a time.
 * @param db a connection that does not block this process when the database is busy
 * @param ahead seconds by which the clock of this process is ahead of the engine's; records get the time of the engine
 */
export function createSweeper(db: DatabaseSync, ahead = 0) {
  let running: Promise<number> | undefined;

  const sweep = async () => {
    await retryWhileBusy(() => indexTtl(db));
    let deleted = 0;
    for (const table of ttlTables(db)) {
      for (let batch = BATCH; batch === BATCH; deleted += batch) {
        const isDue = db.prepare(`SELECT 1 FROM ${table.table} WHERE ${table.time} < ? LIMIT 1`).get(secondsNow());
        batch = isDue ? await retryWhileBusy(() => deleteExpired(db, table, ahead)) : 0;
      }
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

function deleteExpired(db: DatabaseSync, { name, table, time, ...stream }: TtlTable, ahead: number): number {
  db.exec("BEGIN IMMEDIATE");
  try {
    const expired = db
      .prepare(`SELECT pk, sk, item_json FROM ${table} WHERE ${time} < ? LIMIT ${BATCH}`)
      .all(secondsNow()) as { pk: string; sk: string; item_json: string }[];
    // The engine has a table per secondary and vector index.
    const deletes = db
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?")
      .all(name.length + 2, `${name}::`)
      .map((index) => db.prepare(`DELETE FROM ${quote(String(index.name))} WHERE table_pk = ? AND table_sk = ?`));
    deletes.push(db.prepare(`DELETE FROM ${table} WHERE pk = ? AND sk = ?`));
    const record = recordRemovals(db, name, stream, secondsNow() - ahead);
    for (const { pk, sk, item_json } of expired) {
      for (const each of deletes) each.run(pk, sk);
      record?.(item_json);
    }
    db.exec("COMMIT");
    return expired.length;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Returns a function that writes the stream record of a deletion, with the next sequence number; undefined without a stream. */
function recordRemovals(
  db: DatabaseSync,
  table: string,
  { keySchema, streamView }: Pick<TtlTable, "keySchema" | "streamView">,
  time: number,
) {
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
    insert.run(table, JSON.stringify(keys), image, `shardId-00000001-${table}`, time, JSON.stringify(TTL_SERVICE));
  };
}

function ttlTables(db: DatabaseSync): TtlTable[] {
  return db
    .prepare("SELECT * FROM _tables WHERE ttl_enabled = 1")
    .all()
    .map(({ table_name, ttl_attribute, key_schema, stream_enabled, stream_view_type }) => {
      const path = `$.${JSON.stringify(ttl_attribute)}.N`.replaceAll("'", "''");
      return {
        name: String(table_name),
        table: quote(String(table_name)),
        keySchema: JSON.parse(String(key_schema)),
        streamView: stream_enabled ? String(stream_view_type ?? "NEW_AND_OLD_IMAGES") : undefined,
        time: `CAST(json_extract(item_json, '${path}') AS REAL)`,
        index: quote(`memocha_ttl_${table_name}_${ttl_attribute}`),
      };
    });
}

/** A name, quoted for SQL. */
function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function retryWhileBusy<T>(work: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || attempt === MAX_ATTEMPTS) throw error;
    }
    await sleep(BUSY_DELAY);
  }
}

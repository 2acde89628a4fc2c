import { DatabaseSync } from "node:sqlite";
import { indexTtl } from "./ttl-index.ts";

/** Seconds that a stream keeps its records, as on AWS. */
const STREAM_RETENTION = 86_400;

/** How far into a stream all records are done. */
export interface Position {
  streamArn: string;
  sequenceNumber: bigint;
}

/**
 * Puts in order what the engine leaves to others, on the closed database file: the indexes without which every stream
 * write reads all records before it and every TTL sweep all items, and the records that nobody will read again. Does nothing to a file that the
 * engine has not set up yet; resolves with whether it had.
 */
export function maintainDatabase(database: string, positions: Position[], now: Date = new Date()): boolean {
  const db = new DatabaseSync(database);
  try {
    if (!db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_stream_records'").get())
      return false;
    db.exec(
      "CREATE INDEX IF NOT EXISTS memocha_stream_records_by_sequence " +
        "ON _stream_records(table_name, CAST(sequence_number AS INTEGER))",
    );
    indexTtl(db);
    // The engine numbers the next record by the highest one stored: were that gone, numbers below the checkpoints would
    // be given out again, and pollers would skip them.
    const trim = db.prepare(
      `DELETE FROM _stream_records WHERE table_name = ?
         AND CAST(sequence_number AS INTEGER) < (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?)
         AND (CAST(sequence_number AS INTEGER) <= ? OR created_at < ?)`,
    );
    const oldest = Math.floor(now.getTime() / 1000) - STREAM_RETENTION;
    for (const { table_name, stream_label } of db.prepare("SELECT table_name, stream_label FROM _tables").all()) {
      const stream = `:table/${table_name}/stream/${stream_label}`;
      trim.run(String(table_name), String(table_name), lowest(positions, stream), oldest);
    }
    return true;
  } finally {
    db.close();
  }
}

/** A position in an earlier stream of a table that was made anew says nothing about this one. */
function lowest(positions: Position[], stream: string): bigint {
  let least: bigint | undefined;
  for (const { streamArn, sequenceNumber } of positions) {
    if (streamArn.endsWith(stream) && (least === undefined || sequenceNumber < least)) least = sequenceNumber;
  }
  return least ?? 0n;
}

import { DatabaseSync } from "node:sqlite";
import { indexTtl } from "./ttl-index.ts";

/**
 * Seconds that a stream keeps its records, as on AWS. Counted back from the newest record, not from now: only the engine's clock stamps
 * records, and time in which the host was off gives pollers no chance to read.
 */
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
export function maintainDatabase(database: string, positions: Position[]): boolean {
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
      `WITH newest AS (
         SELECT MAX(CAST(sequence_number AS INTEGER)) AS sequence, MAX(created_at) AS at FROM _stream_records WHERE table_name = ?1
       )
       DELETE FROM _stream_records WHERE table_name = ?1
         AND CAST(sequence_number AS INTEGER) < (SELECT sequence FROM newest)
         AND (CAST(sequence_number AS INTEGER) <= ?2 OR created_at < (SELECT at FROM newest) - ${STREAM_RETENTION})`,
    );
    for (const { table_name, stream_label } of db.prepare("SELECT table_name, stream_label FROM _tables").all()) {
      const stream = `:table/${table_name}/stream/${stream_label}`;
      trim.run(String(table_name), lowest(positions, stream));
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

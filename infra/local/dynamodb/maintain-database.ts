import { DatabaseSync } from "node:sqlite";
import { indexTtl } from "./sweeper.ts";

/**
 * Seconds that a stream keeps its records, as on AWS. The age of a record is its distance to the newest record, not to the current time,
 * because event sources cannot read while the host is off.
 */
const STREAM_RETENTION = 86_400;

/** The sequence number up to which an event source has finished a stream. */
export interface Position {
  streamArn: string;
  sequenceNumber: bigint;
}

/**
 * Adds indexes that the engine lacks and deletes stream records that no event source needs. Without the indexes, every stream write
 * reads all earlier records and every TTL sweep reads all items. The engine must not run. Returns false, and does nothing, when the
 * engine has not created its tables yet.
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
    // Keep the newest record: the engine derives the next sequence number from it. Without it, the engine would reuse numbers, and
    // event sources would skip those below their checkpoints.
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

/** The lowest position in a stream. Positions in earlier streams of the table do not count. */
function lowest(positions: Position[], stream: string): bigint {
  let least: bigint | undefined;
  for (const { streamArn, sequenceNumber } of positions) {
    if (streamArn.endsWith(stream) && (least === undefined || sequenceNumber < least)) least = sequenceNumber;
  }
  return least ?? 0n;
}

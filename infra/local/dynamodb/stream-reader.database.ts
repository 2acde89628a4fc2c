import type { DatabaseSync } from "node:sqlite";
import type { Page, StartAt, StreamReader } from "./stream-reader.ts";
import { changesNothing, type RawRecord, toLambdaRecord } from "./stream-record.ts";
import { tableOf } from "./streams-client.ts";

interface Row {
  event_name: RawRecord["eventName"];
  keys_json: string;
  new_image: string | null;
  old_image: string | null;
  sequence_number: string;
  created_at: number;
  user_identity: string | null;
}

/**
 * Reads streams from the database of the running embedded engine. Over HTTP, the engine parses and writes each image again per reader:
 * 2 ms for an image with a vector. Here an image is parsed on its first use, and filters use few images.
 * @param ahead seconds by which the clock of this process is ahead of the engine's; records get the time of this process
 */
export function createDatabaseStreamReader(db: DatabaseSync, ahead = 0): StreamReader {
  const newest = db.prepare(
    "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) AS number FROM _stream_records WHERE table_name = ?",
  );
  const describe = db.prepare("SELECT key_schema, stream_view_type FROM _tables WHERE table_name = ?");
  const select = db.prepare(
    `SELECT event_name, keys_json, new_image, old_image, sequence_number, created_at, user_identity
     FROM _stream_records WHERE table_name = ? AND CAST(sequence_number AS INTEGER) > ?
     ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?`,
  );

  /** Sequence number before the first record to read. */
  const positionOf = (table: string, at: StartAt): number => {
    switch (at.type) {
      case "TRIM_HORIZON":
        return 0;
      case "LATEST":
        return Number(newest.get(table)?.number);
      case "AFTER_SEQUENCE_NUMBER":
        return Number(at.sequenceNumber);
      case "AT_SEQUENCE_NUMBER":
        return Number(at.sequenceNumber) - 1;
    }
  };

  return {
    shards: async (streamArn) => [{ shardId: `shardId-00000001-${tableOf(streamArn)}` }],

    iterator: async (streamArn, _shardId, at) => String(positionOf(tableOf(streamArn), at)),

    latest: async (streamArn) => String(positionOf(tableOf(streamArn), { type: "LATEST" })),

    async records(iterator, streamArn, limit = 1_000): Promise<Page> {
      const table = tableOf(streamArn);
      const rows = select.all(table, Number(iterator), limit) as unknown as Row[];
      const view = String(describe.get(table)?.stream_view_type ?? "NEW_AND_OLD_IMAGES");
      const last = rows.at(-1)?.sequence_number;
      return {
        records: rows
          .map((row) => ({ row, record: toRawRecord(row, view, ahead) }))
          .filter(({ row, record }) => !(sameLength(row) && changesNothing(record)))
          .map(({ record }) => toLambdaRecord(record, streamArn)),
        count: rows.length,
        bytes: rows.reduce((sum, row) => sum + sizeOf(row), 0),
        ...(last === undefined ? {} : { lastSequenceNumber: last }),
        next: last ?? iterator,
      };
    },

    async partitionKey(streamArn) {
      const table = describe.get(tableOf(streamArn));
      const schema = JSON.parse(String(table?.key_schema ?? "[]")) as { AttributeName: string; KeyType: string }[];
      return schema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName ?? "";
    },
  };
}

// Equal images have the same length, in any order of their attributes.
const sameLength = ({ new_image, old_image }: Row): boolean => new_image?.length === old_image?.length;

const sizeOf = ({ keys_json, new_image, old_image }: Row): number =>
  keys_json.length + (new_image?.length ?? 0) + (old_image?.length ?? 0);

function toRawRecord(row: Row, view: string, ahead: number): RawRecord {
  const dynamodb: RawRecord["dynamodb"] = {
    ApproximateCreationDateTime: row.created_at + ahead,
    Keys: JSON.parse(row.keys_json),
    SequenceNumber: row.sequence_number,
    SizeBytes: sizeOf(row),
    StreamViewType: view,
  };
  addImage(dynamodb, "NewImage", row.new_image);
  addImage(dynamodb, "OldImage", row.old_image);
  return {
    eventID: row.sequence_number,
    eventName: row.event_name,
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: "",
    dynamodb,
    ...(row.user_identity === null ? {} : { userIdentity: JSON.parse(row.user_identity) }),
  };
}

/** Adds an image that is parsed on its first use. */
function addImage(record: object, name: "NewImage" | "OldImage", json: string | null): void {
  if (json === null) return;
  Object.defineProperty(record, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = JSON.parse(json);
      Object.defineProperty(record, name, { value, enumerable: true });
      return value;
    },
  });
}

import type { DatabaseSync } from "node:sqlite";
import type { Page, StreamReader } from "./stream-reader.ts";
import { changesNothing, type ItemJson, type RawRecord, toLambdaRecord } from "./stream-record.ts";
import { tableOf } from "./streams-client.ts";

interface Row {
  id: number;
  event_name: RawRecord["eventName"];
  keys_json: string;
  /** Bytes of the images; null = the record has none. */
  new_bytes: number | null;
  old_bytes: number | null;
  sequence_number: string;
  created_at: number;
  user_identity: string | null;
}

/**
 * Reads streams from the database of the running embedded engine. Over HTTP, the engine parses and writes each image for each reader,
 * which takes 2 ms for an image with a vector. This reader reads an image only when it is used, and filters use few images.
 * @param ahead seconds by which the clock of this process is ahead of the engine's; records get the time of this process
 */
export function createDatabaseStreamReader(db: DatabaseSync, ahead = 0): StreamReader {
  const describe = db.prepare("SELECT key_schema, stream_view_type FROM _tables WHERE table_name = ?");
  const select = db.prepare(
    `SELECT id, event_name, keys_json, octet_length(new_image) AS new_bytes, octet_length(old_image) AS old_bytes,
       sequence_number, created_at, user_identity
     FROM _stream_records WHERE table_name = ? AND CAST(sequence_number AS INTEGER) > ?
     ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?`,
  );

  const images = {
    NewImage: db.prepare("SELECT new_image AS image FROM _stream_records WHERE id = ?"),
    OldImage: db.prepare("SELECT old_image AS image FROM _stream_records WHERE id = ?"),
  };
  const imageOf: ReadImage = (id, name) => JSON.parse(String(images[name].get(id)?.image));

  return {
    shards: async (streamArn) => [{ shardId: `shardId-00000001-${tableOf(streamArn)}` }],

    iterator: async (_streamArn, _shardId, after = "0") => after,

    async records(iterator, streamArn, limit = 1_000): Promise<Page> {
      const table = tableOf(streamArn);
      const rows = select.all(table, Number(iterator), limit) as unknown as Row[];
      const view = String(describe.get(table)?.stream_view_type ?? "NEW_AND_OLD_IMAGES");
      const last = rows.at(-1)?.sequence_number;
      return {
        records: rows
          .map((row) => ({ row, record: toRawRecord(row, view, ahead, imageOf) }))
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

// Images that are equal have the same length, also when their attributes are in another order.
const sameLength = ({ new_bytes, old_bytes }: Row): boolean => new_bytes === old_bytes;

const sizeOf = ({ keys_json, new_bytes, old_bytes }: Row): number =>
  keys_json.length + (new_bytes ?? 0) + (old_bytes ?? 0);

type ReadImage = (id: number, name: "NewImage" | "OldImage") => ItemJson;

function toRawRecord(row: Row, view: string, ahead: number, imageOf: ReadImage): RawRecord {
  const dynamodb: RawRecord["dynamodb"] = {
    ApproximateCreationDateTime: row.created_at + ahead,
    Keys: JSON.parse(row.keys_json),
    SequenceNumber: row.sequence_number,
    SizeBytes: sizeOf(row),
    StreamViewType: view,
  };
  if (row.new_bytes !== null) addImage(dynamodb, "NewImage", row.id, imageOf);
  if (row.old_bytes !== null) addImage(dynamodb, "OldImage", row.id, imageOf);
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

/** Adds an image as a property that reads the image when it is first used. */
function addImage(record: object, name: "NewImage" | "OldImage", id: number, imageOf: ReadImage): void {
  Object.defineProperty(record, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = imageOf(id, name);
      Object.defineProperty(record, name, { value, enumerable: true });
      return value;
    },
  });
}

import type { Credentials } from "../lambda/environment.ts";
import { withoutFillers } from "./complete-expired.ts";
import { changesNothing, type RawRecord, type StreamRecord, toLambdaRecord } from "./stream-record.ts";
import { createStreamsClient, tableOf } from "./streams-client.ts";

export interface Shard {
  shardId: string;
  parentShardId?: string;
}

export interface StreamReader {
  shards(streamArn: string): Promise<Shard[]>;
  /** `after`: the sequence number after which to read; absent = read from the oldest record. */
  iterator(streamArn: string, shardId: string, after?: string): Promise<string>;
  records(iterator: string, streamArn: string, limit?: number): Promise<Page>;
  /** Returns the attribute name of the table's partition key. */
  partitionKey(streamArn: string): Promise<string>;
}

/** The result of one read of a shard. */
export interface Page {
  /** Without records of writes that changed nothing. */
  records: StreamRecord[];
  /** Number and size of all records read, including omitted ones. */
  count: number;
  bytes: number;
  /** The sequence number of the last record read, including omitted ones. */
  lastSequenceNumber?: string;
  /** The next iterator; absent at the end of a closed shard. */
  next?: string;
}

/**
 * Reads streams from an engine over HTTP, as raw JSON. The SDK's client would drop `userIdentity`, which marks a TTL deletion, because
 * the embedded engine writes it in another casing. Throws ServiceErrors.
 */
export function createStreamReader(endpoint: string, credentials?: Credentials): StreamReader {
  const client = createStreamsClient(endpoint, credentials);
  return {
    async shards(streamArn) {
      const shards: Shard[] = [];
      let last: string | undefined;
      do {
        const from = last === undefined ? {} : { ExclusiveStartShardId: last };
        const { StreamDescription } = await client<Description>("DescribeStream", { StreamArn: streamArn, ...from });
        for (const { ShardId, ParentShardId } of StreamDescription.Shards ?? []) {
          shards.push({ shardId: ShardId, ...(ParentShardId !== undefined && { parentShardId: ParentShardId }) });
        }
        last = StreamDescription.LastEvaluatedShardId;
      } while (last !== undefined);
      return shards;
    },
    async iterator(streamArn, shardId, after) {
      const position =
        after === undefined
          ? { ShardIteratorType: "TRIM_HORIZON" }
          : { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", SequenceNumber: after };
      const request = { StreamArn: streamArn, ShardId: shardId, ...position };
      return (await client<{ ShardIterator: string }>("GetShardIterator", request)).ShardIterator;
    },
    async records(iterator, streamArn, limit = 1_000) {
      const request = { ShardIterator: iterator, Limit: limit };
      const { Records = [], NextShardIterator: next } = await client<GetRecordsAnswer>("GetRecords", request);
      const lastSequenceNumber = Records.at(-1)?.dynamodb.SequenceNumber;
      return {
        records: Records.map(withoutFillers)
          .filter((record) => !changesNothing(record))
          .map((record) => toLambdaRecord(record, streamArn)),
        count: Records.length,
        bytes: Records.reduce((sum, { dynamodb }) => sum + dynamodb.SizeBytes, 0),
        ...(lastSequenceNumber !== undefined && { lastSequenceNumber }),
        ...(next != null && { next }),
      };
    },
    async partitionKey(streamArn) {
      const { Table } = await client<TableAnswer>("DescribeTable", { TableName: tableOf(streamArn) });
      return Table.KeySchema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName ?? "";
    },
  };
}

/** The sequence number in an iterator of the embedded engine, which is JSON in base64; `undefined` for iterators of other engines. */
interface Description {
  StreamDescription: { Shards?: { ShardId: string; ParentShardId?: string }[]; LastEvaluatedShardId?: string };
}

interface GetRecordsAnswer {
  Records?: RawRecord[];
  NextShardIterator?: string | null;
}

interface TableAnswer {
  Table: { KeySchema: { AttributeName: string; KeyType: string }[] };
}

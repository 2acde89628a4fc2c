import { changesNothing, type RawRecord, type StreamRecord, toLambdaRecord } from "./stream-record.ts";

export interface Shard {
  shardId: string;
  parentShardId?: string;
}

export type StartAt =
  | { type: "TRIM_HORIZON" | "LATEST" }
  | { type: "AFTER_SEQUENCE_NUMBER" | "AT_SEQUENCE_NUMBER"; sequenceNumber: string };

export interface StreamReader {
  shards(streamArn: string): Promise<Shard[]>;
  iterator(streamArn: string, shardId: string, at: StartAt): Promise<string>;
  /**
   * Where a reader from LATEST would begin: AFTER_SEQUENCE_NUMBER of it, "0" = the beginning. Only the embedded engine
   * tells, in its iterators; undefined with others.
   */
  latest(streamArn: string, shardId: string): Promise<string | undefined>;
  records(iterator: string, streamArn: string, limit?: number): Promise<Page>;
  /** Attribute name of the table's partition key. */
  partitionKey(streamArn: string): Promise<string>;
}

/** What one read of a shard gave. */
export interface Page {
  /** Without those that tell of no change. */
  records: StreamRecord[];
  /** How many were read, and their size, dropped ones included. */
  count: number;
  bytes: number;
  /** Of the last record read, dropped or not. */
  lastSequenceNumber?: string;
  /** Absent when the shard is closed and read to its end. */
  next?: string;
}

/** An engine's answer that is an error; `name` is its code, such as "TrimmedDataAccessException". */
export class StreamError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/**
 * Reads streams from an engine as raw JSON: the SDK's client knows `userIdentity` in another casing than the embedded
 * engine's and drops what identifies a TTL deletion. Throws StreamErrors.
 */
export function createStreamReader(endpoint: string): StreamReader {
  return {
    async shards(streamArn) {
      const shards: Shard[] = [];
      let last: string | undefined;
      do {
        const from = last === undefined ? {} : { ExclusiveStartShardId: last };
        const { StreamDescription } = await call<Description>(endpoint, "DescribeStream", {
          StreamArn: streamArn,
          ...from,
        });
        for (const { ShardId, ParentShardId } of StreamDescription.Shards ?? []) {
          shards.push({ shardId: ShardId, ...(ParentShardId !== undefined && { parentShardId: ParentShardId }) });
        }
        last = StreamDescription.LastEvaluatedShardId;
      } while (last !== undefined);
      return shards;
    },
    async iterator(streamArn, shardId, at) {
      const position = "sequenceNumber" in at ? { SequenceNumber: at.sequenceNumber } : {};
      const request = { StreamArn: streamArn, ShardId: shardId, ShardIteratorType: at.type, ...position };
      return (await call<{ ShardIterator: string }>(endpoint, "GetShardIterator", request)).ShardIterator;
    },
    async latest(streamArn, shardId) {
      return positionIn(await this.iterator(streamArn, shardId, { type: "LATEST" }));
    },
    async records(iterator, streamArn, limit = 1_000) {
      const request = { ShardIterator: iterator, Limit: limit };
      const { Records = [], NextShardIterator: next } = await call<GetRecordsAnswer>(endpoint, "GetRecords", request);
      const lastSequenceNumber = Records.at(-1)?.dynamodb.SequenceNumber;
      return {
        records: Records.filter((record) => !changesNothing(record)).map((record) => toLambdaRecord(record, streamArn)),
        count: Records.length,
        bytes: Records.reduce((sum, { dynamodb }) => sum + dynamodb.SizeBytes, 0),
        ...(lastSequenceNumber !== undefined && { lastSequenceNumber }),
        ...(next != null && { next }),
      };
    },
    async partitionKey(streamArn) {
      const TableName = /:table\/([^/]+)\/stream\//.exec(streamArn)?.[1];
      const { Table } = await call<TableAnswer>(endpoint, "DescribeTable", { TableName });
      return Table.KeySchema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName ?? "";
    },
  };
}

function positionIn(iterator: string): string | undefined {
  try {
    const { position } = JSON.parse(Buffer.from(iterator, "base64").toString());
    return Number.isInteger(position) ? String(position) : undefined;
  } catch {
    return undefined;
  }
}

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

/** Calls an engine without a signature that means anything: engines on loopback look at its shape only. */
export async function postToEngine(endpoint: string, operation: string, body: string): Promise<Response> {
  const service = operation === "DescribeTable" ? "DynamoDB_20120810" : "DynamoDBStreams_20120810";
  return fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `${service}.${operation}`,
      "x-amz-date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
      authorization:
        "AWS4-HMAC-SHA256 Credential=local/20250101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    },
    body,
  });
}

async function call<T>(endpoint: string, operation: string, request: object): Promise<T> {
  const response = await postToEngine(endpoint, operation, JSON.stringify(request));
  if (response.ok) return (await response.json()) as T;
  const text = await response.text();
  const code = /"__type"\s*:\s*"(?:[^"]*#)?([^"]+)"/.exec(text)?.[1] ?? String(response.status);
  throw new StreamError(code, `${operation}: ${text}`);
}

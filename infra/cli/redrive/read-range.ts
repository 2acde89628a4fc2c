import {
  type _Record,
  type AttributeValue,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ResourceNotFoundException,
  TrimmedDataAccessException,
} from "@aws-sdk/client-dynamodb-streams";
import type { ItemJson, StreamRecord } from "../../local/index.ts";
import type { StreamRange } from "./dead-letter.ts";

/** Consecutive empty pages after which the range counts as read. Pages of an open shard can be empty. */
const EMPTY_READS = 10;

/**
 * Reads the records of a range again, in the shape that Lambda gives to functions. `complete` is false when the first of them have left
 * the stream, which keeps records for a day.
 */
export async function readRange(
  streams: DynamoDBStreamsClient,
  range: StreamRange,
): Promise<{ records: StreamRecord[]; complete: boolean }> {
  const { streamArn, shardId, startSequenceNumber, endSequenceNumber } = range;
  const [start, end] = [BigInt(startSequenceNumber), BigInt(endSequenceNumber)];
  const records: StreamRecord[] = [];
  try {
    const position = { ShardIteratorType: "AT_SEQUENCE_NUMBER", SequenceNumber: startSequenceNumber } as const;
    const begin = new GetShardIteratorCommand({ StreamArn: streamArn, ShardId: shardId, ...position });
    let iterator = (await streams.send(begin)).ShardIterator;
    for (let empty = 0; iterator !== undefined && empty < EMPTY_READS; ) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator: iterator }));
      iterator = page.NextShardIterator ?? undefined;
      empty = page.Records?.length ? 0 : empty + 1;
      for (const record of page.Records ?? []) {
        const number = BigInt(record.dynamodb?.SequenceNumber ?? 0);
        if (number >= start && number <= end) records.push(toLambdaRecord(record, streamArn));
        if (number >= end) iterator = undefined;
      }
    }
  } catch (error) {
    const isGone = error instanceof TrimmedDataAccessException || error instanceof ResourceNotFoundException;
    if (!isGone) throw error;
    return { records: [], complete: false };
  }
  return { records, complete: records[0]?.dynamodb.SequenceNumber === startSequenceNumber };
}

function toLambdaRecord(record: _Record, streamArn: string): StreamRecord {
  const { dynamodb = {}, userIdentity } = record;
  return {
    eventID: record.eventID ?? "",
    eventName: record.eventName ?? "MODIFY",
    eventVersion: record.eventVersion ?? "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: streamArn.split(":")[3] ?? "",
    eventSourceARN: streamArn,
    dynamodb: {
      ApproximateCreationDateTime: (dynamodb.ApproximateCreationDateTime?.getTime() ?? 0) / 1000,
      Keys: toJson(dynamodb.Keys ?? {}),
      ...(dynamodb.NewImage && { NewImage: toJson(dynamodb.NewImage) }),
      ...(dynamodb.OldImage && { OldImage: toJson(dynamodb.OldImage) }),
      SequenceNumber: dynamodb.SequenceNumber ?? "",
      SizeBytes: dynamodb.SizeBytes ?? 0,
      StreamViewType: dynamodb.StreamViewType ?? "NEW_AND_OLD_IMAGES",
    },
    ...(userIdentity && {
      userIdentity: { type: userIdentity.Type ?? "", principalId: userIdentity.PrincipalId ?? "" },
    }),
  };
}

/** Converts an item of the SDK to JSON: bytes become base64. */
function toJson(item: Record<string, AttributeValue>): ItemJson {
  const walk = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, walk(part)]));
  };
  return walk(item) as ItemJson;
}

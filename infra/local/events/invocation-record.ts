import { randomUUID } from "node:crypto";
import type { StreamRecord } from "../dynamodb/stream-record.ts";

export type DiscardReason = "RetryAttemptsExhausted" | "RecordAgeExceeded";

/** What Lambda sends to an on-failure destination in place of the records: where in the stream they are. */
export function invocationRecord(options: {
  records: [StreamRecord, ...StreamRecord[]];
  shardId: string;
  functionArn: string;
  reason: DiscardReason;
  /** How many times the function was called with them. */
  invokeCount: number;
  /** Whether the function threw, rather than report failed items. */
  threw: boolean;
}): object {
  const { records, shardId, functionArn, reason, invokeCount, threw } = options;
  const first = records[0];
  const last = records.at(-1) ?? first;
  return {
    requestContext: {
      requestId: randomUUID(),
      functionArn,
      condition: reason,
      approximateInvokeCount: invokeCount,
    },
    responseContext: {
      statusCode: 200,
      executedVersion: "$LATEST",
      functionError: threw ? "Unhandled" : null,
    },
    version: "1.0",
    timestamp: new Date().toISOString(),
    DDBStreamBatchInfo: {
      shardId,
      startSequenceNumber: first.dynamodb.SequenceNumber,
      endSequenceNumber: last.dynamodb.SequenceNumber,
      approximateArrivalOfFirstRecord: arrival(first),
      approximateArrivalOfLastRecord: arrival(last),
      batchSize: records.length,
      streamArn: first.eventSourceARN,
    },
  };
}

/** To the second, as the stream's own times are. */
function arrival({ dynamodb }: StreamRecord): string {
  return new Date(dynamodb.ApproximateCreationDateTime * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

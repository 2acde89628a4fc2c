import { randomUUID } from "node:crypto";
import type { StreamRecord } from "../dynamodb/stream-record.ts";

export type DiscardReason = "RetryAttemptsExhausted" | "RecordAgeExceeded";

/** The record that Lambda sends to an on-failure destination: the position of the discarded records in the stream. */
export function invocationRecord(options: {
  records: [StreamRecord, ...StreamRecord[]];
  shardId: string;
  functionArn: string;
  reason: DiscardReason;
  /** Number of invocations with these records. */
  invokeCount: number;
  /** Whether the function threw an error. False = it reported failed items. */
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

/** In seconds, like the times of the stream. */
function arrival({ dynamodb }: StreamRecord): string {
  return new Date(dynamodb.ApproximateCreationDateTime * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

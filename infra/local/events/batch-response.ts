import * as z from "zod";
import type { StreamRecord } from "../dynamodb/stream-record.ts";

const schema = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })).nullish() }).nullish();

/**
 * Index of the first record that a function with ReportBatchItemFailures says it could not handle; all from there on
 * are to be delivered again. `records.length` = none. An answer that names none of the records, or has another shape,
 * fails the whole batch.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function firstFailure(response: unknown, records: StreamRecord[]): number {
  const answer = schema.safeParse(response);
  if (!answer.success) return 0;
  let first = records.length;
  for (const { itemIdentifier } of answer.data?.batchItemFailures ?? []) {
    const index = records.findIndex(({ dynamodb }) => dynamodb.SequenceNumber === itemIdentifier);
    if (index === -1) return 0;
    first = Math.min(first, index);
  }
  return first;
}

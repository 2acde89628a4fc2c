import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { counted } from "../../../shared/counted.ts";
import { compileFilter, firstFailure, type StreamRecord } from "../../local/index.ts";
import type { Place } from "../find-deployment.ts";
import { type DeadLetter, filtersOf } from "./dead-letter.ts";
import { readRange } from "./read-range.ts";

/** One invocation takes so many records, and so many bytes of them: Lambda's own limit is 6 MB. */
const BATCH_RECORDS = 100;
const BATCH_BYTES = 5_000_000;

/** Delivers a dead letter again and resolves with what was done, in words. Throws an Error when it fails again. */
export async function deliverAgain(letter: DeadLetter, place: Place, reconcile: () => Promise<void>): Promise<string> {
  if (letter.kind === "event") {
    await invoke(place.lambda, letter.functionArn, letter.payload);
    return "delivered again";
  }
  const { records, complete } = await readRange(place.streams, letter.range);
  const wanted = records.filter(acceptedBy(letter.functionArn));
  for (const batch of batches(wanted)) {
    const response = await invoke(place.lambda, letter.functionArn, { Records: batch });
    const failed = firstFailure(response, batch);
    if (failed < batch.length) {
      throw new Error(`record ${batch[failed]?.dynamodb.SequenceNumber} failed again`);
    }
  }
  const delivered = `${counted(wanted.length, "record")} delivered again`;
  if (complete) return delivered;
  await reconcile();
  const gone = "have left the stream, which keeps them for a day; the reconciler was run instead";
  return wanted.length === 0 ? `its records ${gone}` : `${delivered}; others ${gone}`;
}

/** Invokes a function and resolves with its answer. Throws an Error with the function's own words when it fails. */
export async function invoke(lambda: LambdaClient, functionName: string, payload: unknown): Promise<unknown> {
  const result = await lambda.send(
    new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(payload)) }),
  );
  const text = Buffer.from(result.Payload ?? []).toString();
  const answer: unknown = text === "" ? null : JSON.parse(text);
  if (result.FunctionError === undefined) return answer;
  const { errorType = result.FunctionError, errorMessage = text } = answer as Record<string, string>;
  throw new Error(`${errorType}: ${errorMessage}`);
}

/**
 * The range of a batch also holds records that its function never sees: its event source filters them, and with several
 * batches at a time other batches lie within.
 */
function acceptedBy(functionArn: string): (record: StreamRecord) => boolean {
  const filters = filtersOf(functionArn)?.map(compileFilter);
  return (record) => filters === undefined || filters.some((matches) => matches(record));
}

function batches(records: StreamRecord[]): StreamRecord[][] {
  const all: StreamRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(record));
    const current = all.at(-1);
    if (current && current.length < BATCH_RECORDS && bytes + size <= BATCH_BYTES) {
      current.push(record);
      bytes += size;
    } else {
      all.push([record]);
      bytes = size;
    }
  }
  return all;
}

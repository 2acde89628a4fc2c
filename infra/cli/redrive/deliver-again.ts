import { counted } from "../../../shared/counted.ts";
import { compileFilter, firstFailure, type StreamRecord } from "../../local/index.ts";
import { type Deployment, invokeFunction } from "../find-deployment.ts";
import { type DeadLetter, filtersOf } from "./dead-letter.ts";
import { readRange } from "./read-range.ts";

/** Limits of one invocation. Lambda takes 6 MB. */
const BATCH_RECORDS = 100;
const BATCH_BYTES = 5_000_000;

/** Delivers a dead letter again. Returns a text that says what was done. Throws an Error when the function fails again. */
export async function deliverAgain(
  letter: DeadLetter,
  { lambda, streams }: Pick<Deployment, "lambda" | "streams">,
  reconcile: () => Promise<void>,
): Promise<string> {
  if (letter.kind === "event") {
    await invokeFunction(lambda, letter.functionArn, letter.payload);
    return "delivered again";
  }
  const { records, complete } = await readRange(streams, letter.range);
  const accepted = records.filter(acceptedBy(letter.functionArn));
  for (const batch of splitBatches(accepted)) {
    const response = await invokeFunction(lambda, letter.functionArn, { Records: batch });
    const failed = batch[firstFailure(response, batch)];
    if (failed) throw new Error(`record ${failed.dynamodb.SequenceNumber} failed again`);
  }
  const delivered = `${counted(accepted.length, "record")} delivered again`;
  if (complete) return delivered;
  await reconcile();
  const gone = "have left the stream, which keeps them for a day; the reconciler was run instead";
  return accepted.length === 0 ? `its records ${gone}` : `${delivered}; others ${gone}`;
}

/**
 * Whether a function gets a record. The range of a batch also contains records that the event source mapping filters out, and records of
 * other batches that ran at the same time.
 */
function acceptedBy(functionArn: string): (record: StreamRecord) => boolean {
  const filters = filtersOf(functionArn)?.map(compileFilter);
  return (record) => filters === undefined || filters.some((matches) => matches(record));
}

function splitBatches(records: StreamRecord[]): StreamRecord[][] {
  const batches: StreamRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(record));
    const current = batches.at(-1);
    if (current && current.length < BATCH_RECORDS && bytes + size <= BATCH_BYTES) {
      current.push(record);
      bytes += size;
    } else {
      batches.push([record]);
      bytes = size;
    }
  }
  return batches;
}

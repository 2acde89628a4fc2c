import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { StreamRecord } from "../dynamodb/stream-record.ts";
import type { DiscardReason } from "./invocation-record.ts";
import type { Mapping } from "./mapping.ts";

const batchResponse = z
  .object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })).nullish() })
  .nullish();

export interface Backoff {
  /** Milliseconds before the first retry. Each further retry doubles the delay. */
  first: number;
  /** Milliseconds before a retry at most. */
  most: number;
}

export interface Delivery {
  mapping: Mapping;
  invoke: (event: object) => Promise<unknown>;
  /** Called when records are settled: handled or discarded. */
  done: (records: StreamRecord[]) => void;
  /** Discards records. Resolves when the destination has them. */
  discard: (records: StreamRecord[], reason: DiscardReason, outcome: Outcome) => Promise<void>;
  backoff: Backoff;
  /** Ends invocations and retries. */
  signal: AbortSignal;
  log: (line: string) => void;
  /** Called with the reason when records are discarded. */
  warn: (line: string, more?: string) => void;
}

/** The outcome of the invocations so far. */
interface Outcome {
  invokeCount: number;
  threw: boolean;
}

/**
 * Delivers a batch until every record is settled, as Lambda does. It retries from the first failed record, bisects batches down to the
 * record that fails (a bisection is not a retry), and discards records after the maximum retries or age. Retries count per record at
 * which the batch fails: progress resets the count.
 * Rejects only when the signal is aborted. The next start delivers unsettled records again.
 */
export async function deliver(batch: StreamRecord[], delivery: Delivery): Promise<void> {
  const { mapping, done, discard, signal, log, warn } = delivery;
  const outcome: Outcome = { invokeCount: 0, threw: false };
  let rest = batch;
  let failures = 0;
  while (rest.length > 0) {
    const expired = rest.filter((record) => isTooOld(record, mapping.maximumAge));
    if (expired.length > 0) {
      warn(`${mapping.functionLabel}: discarding ${count(expired)} older than ${mapping.maximumAge} s`);
      await discard(expired, "RecordAgeExceeded", outcome);
      rest = rest.filter((record) => !expired.includes(record));
      continue;
    }
    signal.throwIfAborted();
    const { failedAt, error } = await attempt(rest, delivery);
    outcome.invokeCount++;
    outcome.threw = error !== undefined;
    done(rest.slice(0, failedAt));
    if (failedAt > 0) failures = 0;
    rest = rest.slice(failedAt);
    if (rest.length === 0) return;

    const cut = mapping.bisect && (failedAt > 0 || rest.length > 1);
    if (!cut) failures++;
    const reason = error instanceof Error ? error.message : (error ?? "it reported item failures");
    const stack = error instanceof Error ? error.stack : undefined;
    if (!cut && mapping.maximumRetries >= 0 && failures > mapping.maximumRetries) {
      warn(
        `${mapping.functionLabel}: discarding ${count(rest)} after ${outcome.invokeCount === 1 ? "one invocation" : `${outcome.invokeCount} invocations`}: ${reason}`,
        stack,
      );
      await discard(rest, "RetryAttemptsExhausted", outcome);
      return;
    }
    const delay = Math.min(delivery.backoff.first * 2 ** Math.max(0, failures - 1), delivery.backoff.most);
    log(`${mapping.functionLabel}: ${count(rest)} failed, retrying in ${delay / 1000} s: ${stack ?? reason}`);
    await sleep(delay, undefined, { signal });
    if (cut && failedAt === 0) {
      const middle = Math.ceil(rest.length / 2);
      await deliver(rest.slice(0, middle), delivery);
      rest = rest.slice(middle);
    }
  }
}

/** Resolves with the index of the first failed record, or `records.length`, and with the error that the function threw. */
async function attempt(
  records: StreamRecord[],
  { mapping, invoke }: Delivery,
): Promise<{ failedAt: number; error?: unknown }> {
  try {
    const response = await invoke({ Records: records });
    return { failedAt: mapping.reportsItemFailures ? firstFailure(response, records) : records.length };
  } catch (error) {
    return { failedAt: 0, error: error ?? new Error("The function failed.") };
  }
}

function isTooOld({ dynamodb }: StreamRecord, maximumAge: number): boolean {
  return maximumAge >= 0 && Date.now() / 1000 - dynamodb.ApproximateCreationDateTime > maximumAge;
}

function count(records: StreamRecord[]): string {
  return records.length === 1 ? "a record" : `a batch of ${records.length}`;
}

/**
 * Returns the index of the first record that a function with ReportBatchItemFailures reports as failed, or `records.length`. This record
 * and all later ones must be delivered again. A response with an unknown identifier or another format fails the whole batch.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function firstFailure(response: unknown, records: StreamRecord[]): number {
  const answer = batchResponse.safeParse(response);
  if (!answer.success) return 0;
  let first = records.length;
  for (const { itemIdentifier } of answer.data?.batchItemFailures ?? []) {
    const index = records.findIndex(({ dynamodb }) => dynamodb.SequenceNumber === itemIdentifier);
    if (index === -1) return 0;
    first = Math.min(first, index);
  }
  return first;
}

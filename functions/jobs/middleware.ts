import type { Context, DynamoDBBatchResponse, DynamoDBRecord } from "aws-lambda";
import type { Clock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { logFailure } from "../../shared/log.ts";
import { createJobBook, type JobBook, type JobName } from "../../shared/metrics/job-book.ts";
import { clock, openMetricsTable } from "../compose.ts";

/**
 * Adds to a job a step that records each success. The watch job warns when the last success is too long ago. A run that returns false has
 * not finished, so it does not count as a success.
 */
export function recordSuccess<A extends unknown[]>(
  name: JobName,
  book: Pick<JobBook, "succeeded">,
  job: (...args: A) => Promise<unknown>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    if ((await job(...args)) !== false) await book.succeeded(name);
  };
}

export function openJobBook(config: Config): JobBook {
  return createJobBook(openMetricsTable(config), clock);
}

/** The part of Lambda's context with the remaining time. */
export type Running = Pick<Context, "getRemainingTimeInMillis">;

/** Returns the epoch milliseconds from which a job begins no more work. `margin` is the time in milliseconds to finish the work it has begun. */
export function deadlineOf(clock: Clock, context: Running, margin: number): number {
  return clock() + context.getRemainingTimeInMillis() - margin;
}

/** Runs the steps of a job on a batch of stream records. Lambda delivers the records of failed steps again. */
export function createBatch(job: string) {
  const batchItemFailures: DynamoDBBatchResponse["batchItemFailures"] = [];
  return {
    /** Runs a step. If it throws, logs the error, and adds the step's records to the response. */
    async attempt(
      { records, ...about }: { records: readonly DynamoDBRecord[]; user: string; event?: string | undefined },
      step: () => Promise<unknown>,
    ): Promise<void> {
      try {
        await step();
      } catch (error) {
        logFailure(error, { job, ...about });
        batchItemFailures.push(...records.map(({ dynamodb }) => ({ itemIdentifier: dynamodb?.SequenceNumber ?? "" })));
      }
    },
    response: { batchItemFailures } satisfies DynamoDBBatchResponse,
  };
}

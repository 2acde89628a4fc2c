import type { Context } from "aws-lambda";
import type { Clock } from "../../shared/clock.ts";
import type { Config } from "../../shared/config.ts";
import { createJobBook, type JobName } from "../../shared/metrics/job-book.ts";
import { clock, openMetricsTable } from "../compose.ts";

/** The job, with a record of when it last succeeded: the watch job warns when that is too long ago. */
export function recordSuccess<A extends unknown[]>(
  name: JobName,
  config: Config,
  job: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  const book = createJobBook(openMetricsTable(config), clock);
  return async (...args) => {
    await job(...args);
    await book.succeeded(name);
  };
}

/** What Lambda tells a running function about its time. */
export type Running = Pick<Context, "getRemainingTimeInMillis">;

/** The time, in epoch milliseconds, from which a job begins nothing new. `margin`: milliseconds to finish what it has begun. */
export function deadlineOf(clock: Clock, context: Running, margin: number): number {
  return clock() + context.getRemainingTimeInMillis() - margin;
}

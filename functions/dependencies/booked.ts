import type { Config } from "../../shared/config.ts";
import { createJobBook, type JobName } from "../../shared/metrics/job-book.ts";
import { clock } from "./clock.ts";
import { openMetricsTable } from "./table.ts";

/** The job, which writes down each time that it has succeeded. */
export function booked<A extends unknown[]>(
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

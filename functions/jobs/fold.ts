import type { Clock } from "../../shared/clock.ts";
import { log } from "../../shared/log.ts";
import { fold } from "../../shared/metrics/fold.ts";
import { createJobBook, type JobBook } from "../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import type { Granularity } from "../../shared/metrics/window.ts";
import { clock, lazyHandler, openMetricsTable } from "../compose.ts";
import { deadlineOf, type Running } from "./middleware.ts";

/** Milliseconds at the end of a run in which no window is begun. */
const MARGIN = 60_000;

const JOB = { hour: "jobs-fold-hourly", day: "jobs-fold-daily", month: "jobs-fold-monthly" } as const;

interface FoldDependencies {
  store: MetricStore;
  book: Pick<JobBook, "succeeded">;
  clock: Clock;
}

/** A scheduled fold. Operators can invoke it with an earlier window to fold from again: `{"from": "2026-11-21T09"}`. */
export function createFoldJob(deps: FoldDependencies, granularity: Granularity) {
  return async (event: { from?: string }, context: Running): Promise<void> => {
    const deadline = deadlineOf(deps.clock, context, MARGIN);
    const result = await fold(deps, granularity, { deadline, ...(event.from ? { from: event.from } : {}) });
    log("info", { job: JOB[granularity], ...result });
    if (result.complete) await deps.book.succeeded(JOB[granularity]);
  };
}

/** The handler of a schedule that folds the windows of a granularity that have ended. */
function handlerOf(granularity: Granularity) {
  return lazyHandler((config) => {
    const table = openMetricsTable(config);
    return createFoldJob({ store: createMetricStore(table), book: createJobBook(table, clock), clock }, granularity);
  });
}

export const hourly = handlerOf("hour");
export const daily = handlerOf("day");
export const monthly = handlerOf("month");

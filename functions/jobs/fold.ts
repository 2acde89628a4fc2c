import type { Clock } from "../../shared/clock.ts";
import { log } from "../../shared/log.ts";
import { fold } from "../../shared/metrics/fold.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import type { Granularity } from "../../shared/metrics/window.ts";
import { clock, lazyHandler, openMetricsTable } from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Milliseconds at the end of a run in which it begins no window. */
const MARGIN = 60_000;

const JOB = { hour: "jobs-fold-hourly", day: "jobs-fold-daily", month: "jobs-fold-monthly" } as const;

/**
 * Schedule: folds metrics. Operators can invoke it to fold again from an earlier window: `{"from": "2026-11-21T09"}`. Returns whether all
 * ended windows are folded.
 */
export function createFoldJob(deps: { store: MetricStore; clock: Clock }, granularity: Granularity) {
  return async (event: { from?: string }, context: Running): Promise<boolean> => {
    const deadline = deadlineOf(deps.clock, context, MARGIN);
    const result = await fold(deps, granularity, { deadline, ...(event.from ? { from: event.from } : {}) });
    log("info", { job: JOB[granularity], ...result });
    return result.complete;
  };
}

/** Creates the handler of a schedule that folds the ended windows of a granularity. */
function handlerOf(granularity: Granularity) {
  return lazyHandler((config) => {
    const store = createMetricStore(openMetricsTable(config));
    return recordSuccess(JOB[granularity], openJobBook(config), createFoldJob({ store, clock }, granularity));
  });
}

export const hourly = handlerOf("hour");
export const daily = handlerOf("day");
export const monthly = handlerOf("month");

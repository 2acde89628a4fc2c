import { log } from "../../shared/log.ts";
import { createJobBook } from "../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { troubleLine } from "../../shared/metrics/trouble.ts";
import { type WatchDependencies, watch } from "../../shared/metrics/watch.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import { clock, lazyHandler, openMetricsTable, openTable } from "../compose.ts";

/** Schedule: logs the state of the system, and one line for each problem that must raise an alarm. */
export function createWatchJob(deps: WatchDependencies, stage: string) {
  return async (): Promise<void> => {
    const { gauges, troubles } = await watch(deps);
    log("info", { job: "watch", ...gauges });
    for (const [trouble, value] of troubles) console.log(troubleLine(stage, trouble, value, deps.clock()));
  };
}

export const handler = lazyHandler((config) => {
  const [table, metrics] = [openTable(config), openMetricsTable(config)];
  return createWatchJob(
    {
      store: createMetricStore(metrics),
      book: createJobBook(metrics, clock),
      sessions: createSessionStore(table),
      clock,
      budget: config.MONTHLY_BUDGET_USD,
    },
    config.MEMOCHA_STAGE,
  );
});

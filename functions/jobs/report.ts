import { toInstant } from "../../shared/clock.ts";
import { log } from "../../shared/log.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import { shift } from "../../shared/metrics/window.ts";
import { buildReport, checkMonth } from "../../shared/reports/build-report.ts";
import type { ReportStore } from "../../shared/reports/report.ts";
import { createReportStore } from "../../shared/reports/report-store.s3.ts";
import { toHtml } from "../../shared/reports/to-html.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import { clock, lazyHandler, openMetricsTable } from "../compose.ts";
import { openJobBook, recordSuccess } from "./middleware.ts";

/** The last day of a month on which the job builds last month's report again, because aggregates may be folded late. */
const LAST_DAY = 3;

interface Dependencies {
  store: MetricStore;
  reports: ReportStore;
  clock: () => number;
}

/** Daily schedule: builds last month's report on the first three days of a month. Operators can invoke it with a month: `{"month": "2026-10"}`. */
export function createReportJob(deps: Dependencies) {
  return async (event: { month?: string }): Promise<void> => {
    const today = toInstant(deps.clock()).slice(0, 10);
    const month = event.month ?? shift("month", today.slice(0, 7), -1);
    checkMonth(deps, month);
    const isDue = event.month !== undefined || Number(today.slice(8)) <= LAST_DAY;
    if (isDue || !(await deps.reports.find(month))) {
      const report = await buildReport(deps, month);
      await deps.reports.put(report, toHtml(report));
      log("info", { job: "report", month, complete: report.complete });
    }
  };
}

export const handler = lazyHandler((config) => {
  const store = createMetricStore(openMetricsTable(config));
  const reports = createReportStore(createS3(), config.ARCHIVE_BUCKET);
  return recordSuccess("jobs-report", openJobBook(config), createReportJob({ store, reports, clock }));
});

import { AppError } from "../../shared/errors.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { reportOperations } from "../../shared/http/operations/report-operations.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import { buildReport, checkMonth } from "../../shared/reports/build-report.ts";
import type { ReportStore } from "../../shared/reports/report.ts";
import { createReportStore } from "../../shared/reports/report-store.s3.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import { lazyHandler, openHttp, openMetricsTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  store: MetricStore;
  reports: Pick<ReportStore, "find">;
}

/** GET /v1/reports/{month}: the stored report, or the report so far if the month has not ended. */
export function createGetReport(deps: Dependencies) {
  return createHttpHandler(reportOperations.getReport, deps, async ({ params: { month } }) => {
    checkMonth(deps, month);
    const report = (await deps.reports.find(month)) ?? (await buildReport(deps, month));
    if (report.figures.requests === 0 && report.days.length === 0) {
      throw new AppError("not_found", "there is no data for this month");
    }
    return { status: 200, body: report };
  });
}

export const handler = lazyHandler((config) => {
  return createGetReport({
    ...openHttp(config),
    store: createMetricStore(openMetricsTable(config)),
    reports: createReportStore(createS3(), config.ARCHIVE_BUCKET),
  });
});

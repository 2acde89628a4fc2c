import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createGetReport } from "../../../functions/reports/get.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { buildReport } from "../../../shared/reports/build-report.ts";
import { reportSchema } from "../../../shared/reports/report.ts";
import { createReportStore } from "../../../shared/reports/report-store.s3.ts";
import { toHtml } from "../../../shared/reports/to-html.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const clock = () => NOW;
let engines: Engines;
beforeAll(async () => {
  engines = await startEngines();
  const { store, reports, table } = ports();
  await createRecorder(table, clock).record({
    kind: "api.request",
    dimensions: { route: "GET /health", status: "2xx" },
    measures: { duration_ms: 5 },
  });
  const kept = await buildReport({ store, clock }, "2026-10");
  await reports.put({ ...kept, figures: { ...kept.figures, requests: 41 } }, toHtml(kept));
});
afterAll(() => engines.close());

function ports() {
  const table = createTable(engines.dynamodb, engines.metricsTable);
  return { table, store: createMetricStore(table), reports: createReportStore(engines.s3, engines.bucket) };
}

async function get(month: string, admin = "true") {
  const event = {
    httpMethod: "GET",
    path: `/v1/reports/${month}`,
    resource: "/v1/reports/{month}",
    headers: {},
    pathParameters: { month },
    body: null,
    requestContext: { requestId: "r", authorizer: { sub: "ops", admin, exp: String(NOW / 1000 + 60), plan: "" } },
  } as unknown as APIGatewayProxyEvent;
  const handler = createGetReport({ clock, corsOrigins: [], ...ports() });
  const { statusCode, body } = await handler(event, { getRemainingTimeInMillis: () => 29_000 } as Context);
  return { status: statusCode, body: JSON.parse(body) };
}

it("a past month has the stored report", async () => {
  const { status, body } = await get("2026-10");
  expect(status).toBe(200);
  expect(reportSchema.parse(body)).toEqual(body);
  expect(body).toMatchObject({ month: "2026-10", complete: true, figures: { requests: 41 } });
});

it("the current month has a new report, including the current hour", async () => {
  const { status, body } = await get("2026-11");
  expect(status).toBe(200);
  expect(body).toMatchObject({ month: "2026-11", complete: false, figures: { requests: 1, error_rate: 0 } });
  expect(body.routes).toMatchObject([{ route: "GET /health", requests: 1 }]);
});

it.each(["2026-12", "2026-09", "2026-13", "last"])("a month without data is not found: %s", async (month) => {
  expect(await get(month)).toMatchObject({ status: 404, body: { code: "not_found" } });
});

it("a report is for admins only", async () => {
  expect(await get("2026-10", "false")).toMatchObject({ status: 403 });
});

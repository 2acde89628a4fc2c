import { GetObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExportJob } from "../../../functions/jobs/export.ts";
import { createFoldJob } from "../../../functions/jobs/fold.ts";
import { recordSuccess } from "../../../functions/jobs/middleware.ts";
import { createReportJob } from "../../../functions/jobs/report.ts";
import { createAuditStore } from "../../../shared/audit/audit-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import type { TableName } from "../../../shared/lake/tables.ts";
import { createJobBook } from "../../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { buildReport } from "../../../shared/reports/build-report.ts";
import { createReportStore } from "../../../shared/reports/report-store.s3.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { readPartition } from "../../support/partition.ts";

const SEPTEMBER = Date.parse("2026-09-30T10:00:00.000Z");
const OCTOBER = Date.parse("2026-10-01T10:00:00.000Z");
const CONTEXT = { getRemainingTimeInMillis: () => 900_000 };

let engines: Engines;
let now = 0;

beforeAll(async () => {
  engines = await startEngines();
  await fillTwoMonths();
});
afterAll(() => engines.close());

const ports = () => {
  const table = createTable(engines.dynamodb, engines.metricsTable);
  const clock = () => now;
  return {
    table,
    clock,
    store: createMetricStore(table),
    events: createEventStore(table),
    recorder: createRecorder(table, clock),
    book: createJobBook(table, clock),
    reports: createReportStore(engines.s3, engines.bucket),
  };
};

/** September has users a to d, October users c to h, a failed answer, feedback, a sale and an LLM call. */
async function fillTwoMonths(): Promise<void> {
  const { recorder, events, store, clock } = ports();
  const request = (at: number, user: string, status = "2xx", duration_ms = 100) =>
    recorder.record({
      kind: "api.request",
      dimensions: { route: "POST /v1/sessions", status },
      measures: { duration_ms, sessions: 1, messages: 2 },
      user,
      at,
      ...(status === "5xx" ? { error: "internal" } : {}),
    });
  for (const user of "abcd") await request(SEPTEMBER, user);
  for (const user of "cdefgh") await request(OCTOBER, user);
  await request(OCTOBER, "h", "5xx", 900);
  await recorder.record({ kind: "session.end", dimensions: {}, measures: { length_s: 600, messages: 4 }, at: OCTOBER });
  const llm = { duration_ms: 800, first_token_ms: 200, input_tokens: 1000, output_tokens: 50, cost_usd: 0.02 };
  await recorder.record({ kind: "llm.call", dimensions: { model: "gpt-5-mini" }, measures: llm, at: OCTOBER });
  const event = (id: string, rest: object) =>
    events.add({ id, user_id: "c", created_at: new Date(OCTOBER).toISOString(), type: "feedback", ...rest });
  for (const [n, value] of [1, 1, -1, 0].entries())
    await event(`feedback-${n}`, { value, session_id: "s1", message_id: "m1" });
  await event("sale", { type: "conversion", value: 19.9, name: "plan" });
  await event("sale", { type: "conversion", value: 19.9, name: "plan" }); // its retry

  for (const [granularity, windows] of [
    ["hour", ["2026-09-30T12:05:00.000Z", "2026-10-01T12:05:00.000Z"]],
    ["day", ["2026-10-02T00:20:00.000Z"]],
    ["month", ["2026-10-02T00:35:00.000Z", "2026-11-01T00:35:00.000Z"]],
  ] as const) {
    for (const at of windows) {
      now = Date.parse(at);
      // The hours and days in between are empty.
      if (granularity === "day") await store.advance("hour", "2026-10-01T23");
      if (at.startsWith("2026-11")) await store.advance("day", "2026-10-31");
      const from = { hour: `${at.slice(0, 11)}09`, day: "2026-09-30", month: "2026-09" }[granularity];
      await createFoldJob({ store, clock }, granularity)({ from }, CONTEXT);
    }
  }
}

describe("the report of a month", () => {
  it("shows the month and the previous one, as JSON and as a page", async () => {
    now = Date.parse("2026-11-01T01:00:00.000Z");
    await recordSuccess("jobs-report", ports().book, createReportJob(ports()))({});
    const report = await ports().reports.find("2026-10");
    expect(report).toMatchObject({ month: "2026-10", complete: true });
    expect(report!.figures).toMatchObject({
      sessions: 7,
      active_users: 6,
      return_rate: 0.5,
      messages: 14,
      feedback: 4,
      satisfaction: 0.5,
      conversions: 1,
      conversion_value: 19.9,
      input_tokens: 1000,
      output_tokens: 50,
      cost_usd: 0.02,
      return_on_cost: expect.closeTo(995, 6),
      requests: 7,
      error_rate: 1 / 7,
      median_session_seconds: 600,
      llm_p95_ms: 800,
      first_token_p95_ms: 200,
    });
    expect(report!.figures.latency_p50_ms).toBeCloseTo(100, 0);
    expect(report!.previous).toMatchObject({ active_users: 4, requests: 4, return_rate: null, satisfaction: null });
    expect(report!.routes).toMatchObject([{ route: "POST /v1/sessions", requests: 7, errors: 1 }]);
    expect(report!.days).toMatchObject([{ day: "2026-10-01", requests: 7, errors: 1, active_users: 6 }]);

    const { Body, ContentType } = await engines.s3.send(
      new GetObjectCommand({ Bucket: engines.bucket, Key: "reports/2026-10.html" }),
    );
    const html = (await Body?.transformToString()) ?? "";
    expect(ContentType).toBe("text/html; charset=utf-8");
    expect(html).toContain("Memocha in October 2026");
    expect(html.match(/<svg /g)).toHaveLength(6);
    expect(html).not.toMatch(/<script|https?:|NaN|undefined|Infinity/);
    expect((await ports().book.all()).find(({ name }) => name === "jobs-report")).toMatchObject({ isLate: false });
  });

  it("is built once, and again only on the first days of the next month", async () => {
    now = Date.parse("2026-11-09T01:00:00.000Z");
    const before = await ports().reports.find("2026-10");
    await createReportJob(ports())({});
    expect(await ports().reports.find("2026-10")).toEqual(before);
    await createReportJob(ports())({ month: "2026-10" });
    expect((await ports().reports.find("2026-10"))!.created_at).toBe("2026-11-09T01:00:00.000Z");
    expect((await ports().reports.find("2026-10"))!.figures).toEqual(before!.figures);
  });
});

describe("a report that cannot be built", () => {
  it("of a month in the future is rejected, and nothing is stored", async () => {
    now = Date.parse("2026-11-30T23:59:59.000Z");
    await expect(createReportJob(ports())({ month: "2026-12" })).rejects.toMatchObject({
      code: "not_found",
      message: "the month 2026-12 is in the future",
    });
    await expect(buildReport(ports(), "2026-12")).rejects.toMatchObject({ code: "not_found" });
    expect(await ports().reports.find("2026-12")).toBeNull();
    now += 1000;
    expect(await buildReport(ports(), "2026-12")).toMatchObject({ month: "2026-12", complete: false });
  });

  it.each(["2026-13", "2026-1", "2026-10-01", "last"])("of %s, which is not a month, is rejected", async (month) => {
    now = Date.parse("2026-11-30T23:59:59.000Z");
    await expect(createReportJob(ports())({ month })).rejects.toMatchObject({
      code: "validation_failed",
      fields: [{ path: "month", message: expect.stringContaining("such as 2026-10") }],
    });
  });
});

describe("the export into the lake", () => {
  const exported = async () => {
    const lake = createLake(engines.s3, engines.bucket);
    const pseudonym = createPseudonyms("key");
    now = Date.parse("2026-10-02T00:50:00.000Z");
    await createExportJob({
      ...ports(),
      open: async () => ({
        ...ports(),
        lake,
        audit: createAuditStore(createTable(engines.dynamodb, "audit")),
        findErasures: async () => [],
        pseudonym,
        content: "full",
      }),
    })({}, CONTEXT);
    const etag = (table: TableName) => lake.find(table, "2026-10-01").then((found) => found?.etag);
    return [await etag("events"), await etag("aggregates")];
  };

  it("writes each event of a day once, with hashed users, and writes nothing when nothing has changed", async () => {
    const first = await exported();
    expect(first.every(Boolean)).toBe(true);
    expect(await exported()).toEqual(first);
    const read = (table: TableName) => readPartition(engines, table, "2026-10-01");
    const events = await read("events");
    expect(events.map(({ event_id }) => event_id).sort()).toEqual([
      "feedback-0",
      "feedback-1",
      "feedback-2",
      "feedback-3",
      "sale",
    ]);
    expect(events.find(({ event_id }) => event_id === "sale")).toMatchObject({
      type: "conversion",
      name: "plan",
      value: 19.9,
      session_id: null,
    });
    expect(events.every(({ user_hash }) => /^[0-9a-f]{32}$/.test(String(user_hash)))).toBe(true);
    const requests = (await read("aggregates")).filter(({ series }) => series === "api.request");
    expect(requests.map(({ status, count }) => [status, count]).sort()).toEqual([
      ["2xx", 6],
      ["5xx", 1],
    ]);
  });
});

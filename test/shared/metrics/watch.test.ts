import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { createWatchJob } from "../../../functions/jobs/watch.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { allowedSilence, createJobBook, type JobName } from "../../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import type { Windowed } from "../../../shared/metrics/metric-store.ts";
import { addTo } from "../../../shared/metrics/sketch.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const HOUR = 3_600_000;
let engines: Engines;
let now = Date.parse("2026-11-21T12:00:00.000Z");
let overdue = 0;

beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

const book = () => createJobBook(createTable(engines.dynamodb, engines.metricsTable), () => now);

/** The lines that one run writes, parsed. */
async function watching(budget = 100): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  const table = createTable(engines.dynamodb, engines.metricsTable);
  await createWatchJob(
    {
      store: createMetricStore(table),
      book: book(),
      sessions: {
        due: async function* () {
          yield Array.from({ length: overdue }, (_, n) => ({ user: "u", id: `${n}` }));
        },
        countActive: async () => 3,
      },
      clock: () => now,
      budget,
    },
    "prod",
  )();
  log.mockRestore();
  return lines.map((line) => JSON.parse(line));
}

const succeedAll = async (except: JobName[] = []) => {
  for (const name of Object.keys(allowedSilence) as JobName[]) if (!except.includes(name)) await book().succeeded(name);
};

it("the watch job logs one line while there is no problem, from the first minute of a deployment on", async () => {
  expect(await watching()).toEqual([
    expect.objectContaining({ job: "watch", jobs_late: [], sessions_overdue: 0, cost_usd: 0, active_sessions: 3 }),
  ]);
  now += 0.5 * HOUR;
  expect(await watching()).toHaveLength(1);
});

it("the watch job reports jobs that are late, and gives a new deployment time for their first runs", async () => {
  now += 2 * HOUR;
  const [gauges, trouble] = await watching();
  expect(gauges!.jobs_late).toEqual(["jobs-reconcile", "jobs-fold-hourly", "jobs-erase"]);
  expect(trouble).toMatchObject({ JobsLate: 3, stage: "prod" });
  await succeedAll();
  expect(await watching()).toHaveLength(1);
  now += 27 * HOUR;
  await succeedAll(["jobs-report", "jobs-lake"]);
  const [, late, stale] = await watching();
  expect([late!.JobsLate, stale!.LakeStale]).toEqual([1, 1]);
});

it("the watch job reports a cost above the monthly budget, but not one that equals it", async () => {
  await succeedAll();
  const table = createTable(engines.dynamodb, engines.metricsTable);
  const aggregate = (series: string, window: string, dollars: number): Windowed => {
    const [parts, sketch] = [Math.round(dollars * 1e9), new Map()];
    addTo(sketch, parts);
    return { series, window, dimensions: {}, count: 1, errors: 0, sum: parts, min: parts, max: parts, sketch };
  };
  const store = createMetricStore(table);
  const month = new Date(now).toISOString().slice(0, 7);
  await store.put("month", [
    aggregate("llm.call.cost_usd", month, 7),
    aggregate("embedding.call.cost_usd", month, 3.5),
    // Costs of other months do not count.
    aggregate("llm.call.cost_usd", "2026-10", 100),
    aggregate("llm.call.cost_usd", "2026-12", 100),
  ]);
  await store.advance("month", month);
  expect(await watching(10.5)).toEqual([expect.objectContaining({ cost_usd: 10.5, budget_usd: 10.5 })]);
  const [, trouble] = await watching(10.49);
  expect(trouble).toMatchObject({ level: "warn", CostAboveBudget: 10.5 });
});

it("a trouble line becomes a CloudWatch metric with the stage as dimension", async () => {
  await succeedAll();
  overdue = 7;
  const [, trouble] = await watching();
  overdue = 0;
  expect(trouble).toEqual({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [{ Namespace: "Memocha", Dimensions: [["stage"]], Metrics: [{ Name: "ArchiveBehind" }] }],
    },
    level: "warn",
    stage: "prod",
    ArchiveBehind: 7,
  });
});

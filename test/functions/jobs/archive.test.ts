import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { createArchiveJob } from "../../../functions/jobs/archive.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { meter } from "../../bench/support/meter.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld } from "../../support/world.ts";

let engines: Engines;
beforeAll(async () => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  engines = await startEngines();
});
afterAll(async () => {
  vi.restoreAllMocks();
  await engines.close();
});

it("a batch of ended sessions writes one metric per session in one call, also when it is delivered again", async () => {
  const world = createWorld(engines);
  const { clock } = world.stores;
  const table = createTable(engines.dynamodb, engines.metricsTable);
  const job = createArchiveJob(world.stores, { mark: async () => undefined }, createRecorder(table, clock));
  for (const [n, id] of ["a", "b", "c"].entries()) await world.create("ann", id, 60, n + 1);
  world.advance(61_000);
  const Records = await Promise.all(["a", "b", "c"].map(async (id) => (await world.sweep("ann", id))!));

  const { measure } = meter(engines.dynamodb);
  const { operations } = await measure(() => job({ Records }));
  // The messages of three sessions are deleted in one call each.
  expect(operations.BatchWriteItem).toBe(4);
  await job({ Records });

  const rows = await queryMetrics(
    { store: createMetricStore(table), clock },
    { granularity: "day", from: "2026-11-21T00:00:00.000Z", to: "2026-11-22T00:00:00.000Z" },
  );
  expect(rows).toMatchObject([
    { name: "session.end", count: 3, errors: 0, sum: 0 },
    { name: "session.end.messages", count: 3, sum: 6, min: 1, max: 3 },
  ]);
});

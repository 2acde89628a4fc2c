import { expect, it } from "vitest";
import { createAccumulator, type RawMetric } from "../../../shared/metrics/aggregate.ts";
import type { Checkpoint, MetricStore, Windowed } from "../../../shared/metrics/metric-store.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { toRawItem } from "../../../shared/metrics/recorder.dynamodb.ts";
import { type Granularity, windowOf } from "../../../shared/metrics/window.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-10-29T00:00:00.000Z");
const NOW = START + 9.5 * HOUR;

const raw: RawMetric = { kind: "api.request", dimensions: { route: "GET /health" }, measures: { duration_ms: 5000 } };

/** A store in memory. Every hour has one request, and all hours up to the checkpoint are folded. */
function storeOf(through: string | null, rowsPerHour = 1): MetricStore & { read: string[] } {
  const read: string[] = [];
  const accumulator = createAccumulator();
  accumulator.addRaw(raw);
  const [row] = accumulator.result();
  return {
    read,
    shards: 1,
    async *raw(hour) {
      read.push(hour);
      yield [raw];
    },
    async *aggregates(granularity: Granularity, series, first, last) {
      if (granularity !== "hour" || series !== "api.request") return;
      for (let at = START; at < NOW; at += HOUR) {
        const window = windowOf("hour", new Date(at).toISOString());
        if (window < first || window > last) continue;
        yield Array.from({ length: rowsPerHour }, (): Windowed => ({ ...row!, window }));
      }
    },
    put: async () => undefined,
    checkpoint: async (of): Promise<Checkpoint | null> =>
      of === "hour" && through !== null ? { since: "2026-10-01T00", through } : null,
    advance: async () => undefined,
  };
}

const hoursOf = async (store: MetricStore, from: number, to: number, more: object = {}) => {
  const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const query = { name: "api.request", granularity: "hour", ...range, ...more } as const;
  const rows = await queryMetrics({ store, clock: () => NOW }, query);
  return rows.map(({ start }) => Number(start.slice(11, 13)));
};

it("a query returns the windows that begin at or after `from` and before `to`", async () => {
  const store = storeOf("2026-10-29T08");
  expect(await hoursOf(store, START + 2 * HOUR, START + 4 * HOUR)).toEqual([2, 3]);
  expect(await hoursOf(store, START + 2 * HOUR + 1, START + 4 * HOUR + 1)).toEqual([3, 4]);
  expect(await hoursOf(store, START, NOW + 24 * HOUR)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it("a query reads raw metrics of at most three hours, however late the folds are", async () => {
  const store = storeOf("2026-10-29T02");
  expect(await hoursOf(store, START, NOW)).toEqual([0, 1, 2, 7, 8, 9]);
  expect(store.read.sort()).toEqual(["2026-10-29T07", "2026-10-29T08", "2026-10-29T09"]);
  const never = storeOf(null);
  expect(await hoursOf(never, START, NOW)).toEqual([7, 8, 9]);
});

it("a query for folded windows only reads no raw metrics", async () => {
  const store = storeOf("2026-10-29T07");
  expect(await hoursOf(store, START, NOW, { foldedOnly: true })).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(store.read).toEqual([]);
});

it("a query for more than 10,000 rows is rejected with the name of the field", async () => {
  expect(await hoursOf(storeOf("2026-10-29T08", 2500), START, START + 4 * HOUR)).toHaveLength(10_000);
  await expect(hoursOf(storeOf("2026-10-29T08", 2500), START, START + 5 * HOUR)).rejects.toMatchObject({
    code: "validation_failed",
    fields: [{ path: "from" }],
  });
});

it("a query returns only rows with the requested dimensions", async () => {
  const store = storeOf("2026-10-29T08");
  expect(await hoursOf(store, START, START + HOUR, { dimensions: { route: "GET /health" } })).toEqual([0]);
  expect(await hoursOf(store, START, START + HOUR, { dimensions: { route: "GET /other" } })).toEqual([]);
});

it("a raw metric omits values that are not finite, and dimensions contain no separators of keys", () => {
  const item = toRawItem(
    {
      kind: "llm.call",
      dimensions: { model: `a#b=c&d\u0000${"x".repeat(100)}` },
      measures: { duration_ms: Number.NaN, first_token_ms: Number.POSITIVE_INFINITY, input_tokens: 0, cost_usd: 0.5 },
    },
    NOW,
  );
  expect(item).toMatchObject({
    dimensions: { model: `a_b_c_d_${"x".repeat(56)}` },
    measures: { input_tokens: 0, cost_usd: 5e8 },
  });
  expect(Object.keys(item.measures as object).sort()).toEqual(["cost_usd", "input_tokens"]);
});

it("a query merges the rows of a window that are equal in one dimension, and all of them by `none`", async () => {
  const request = (route: string, status: string, duration_ms: number): RawMetric => ({
    kind: "api.request",
    dimensions: { route, status },
    measures: { duration_ms: duration_ms * 1000 },
  });
  const store = {
    ...storeOf(null),
    async *raw(hour: string) {
      if (hour === "2026-10-29T09") yield [request("a", "2xx", 1), request("b", "2xx", 100), request("b", "5xx", 50)];
    },
  };
  const range = { from: "2026-10-29T09:00:00.000Z", to: "2026-10-29T10:00:00.000Z" };
  const rowsBy = async (by: string) => {
    const query = { name: "api.request", granularity: "hour", ...range, by } as const;
    const rows = await queryMetrics({ store, clock: () => NOW }, query);
    return rows.map(({ dimensions, count, sum, max }) => ({ dimensions, count, sum, max }));
  };
  expect(await rowsBy("status")).toEqual([
    { dimensions: { status: "2xx" }, count: 2, sum: 101, max: 100 },
    { dimensions: { status: "5xx" }, count: 1, sum: 50, max: 50 },
  ]);
  expect(await rowsBy("none")).toEqual([{ dimensions: {}, count: 3, sum: 151, max: 100 }]);
});

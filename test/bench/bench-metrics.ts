import { setTimeout as sleep } from "node:timers/promises";
import { CreateTableCommand } from "@aws-sdk/client-dynamodb";
import { createTable } from "../../shared/dynamodb/table.ts";
import { metrics } from "../../shared/dynamodb/tables.ts";
import type { RawMetric } from "../../shared/metrics/aggregate.ts";
import { fold } from "../../shared/metrics/fold.ts";
import type { Metric } from "../../shared/metrics/metric.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import { type MetricRow, queryMetrics } from "../../shared/metrics/query-metrics.ts";
import { toRawItem } from "../../shared/metrics/recorder.dynamodb.ts";
import { type Granularity, shift, startOf, windowsBetween } from "../../shared/metrics/window.ts";
import { type Engines, startEngines, tablePropertiesOf } from "../support/engines.ts";
import { randomOf } from "../support/random.ts";
import { meter, type Usage } from "./support/meter.ts";
import { mebibytes, printTable } from "./support/print-table.ts";

const START = Date.parse("2026-10-31T00:00:00.000Z");
const DAY = 86_400_000;
const TABLE = "metrics-bench";
const ROUTES = 20;

const USERS = 5000;

/** Bytes of a raw item, as DynamoDB counts them, and of a page of a Query. */
const ITEM_BYTES = 250;
const PAGE_BYTES = 1024 * 1024;

/** Milliseconds between two measurements of this process's memory. */
const LOOK = 20;

/**
 * Folds the raw metrics of one day and compares the aggregates with the exact values. The argument is the number of metrics (default one
 * million). Raw metrics are generated when they are read, in DynamoDB's pages and with its capacity units, because writing a million of
 * them to the embedded engine takes an hour. Aggregates are written to the engine and read from it.
 */
export async function run([items = "1000000"]: string[]): Promise<void> {
  const engines = await startEngines();
  try {
    await measure(engines, Number(items));
  } finally {
    await engines.close();
  }
}

async function measure(engines: Engines, items: number): Promise<void> {
  // Without the stream, which slows the embedded engine down.
  const { StreamSpecification: _, TimeToLiveSpecification: __, ...properties } = tablePropertiesOf(TABLE, metrics);
  await engines.dynamodb.send(new CreateTableCommand(properties as never));
  const aggregates = createMetricStore(createTable(engines.dynamodb, TABLE));
  const day = makeDay(items, aggregates.shards);
  const { count } = day;

  const { measure: metered } = meter(engines.dynamodb);
  const clock = { now: START + DAY };
  const ports = { store: { ...aggregates, raw: day.raw }, clock: () => clock.now };
  const rows: (string | number)[][] = [];
  const folding = async (title: string, granularity: Granularity, from: string) => {
    const before = process.memoryUsage().rss;
    const memory = watchMemory();
    const began = performance.now();
    const read = { ...day.usage };
    const usage = await metered(() => fold(ports, granularity, { from, deadline: Number.POSITIVE_INFINITY }));
    const seconds = (performance.now() - began) / 1000;
    const peak = await memory.stop();
    rows.push([
      title,
      seconds,
      count / seconds,
      usage.calls + day.usage.pages - read.pages,
      usage.rru + day.usage.rru - read.rru,
      usage.wru,
      mebibytes(Math.max(0, peak - before)),
    ]);
  };
  await ports.store.advance("hour", "2026-10-30T23");
  await folding("raw to hourly", "hour", "2026-10-31T00");
  await folding("raw to hourly, again", "hour", "2026-10-31T00");
  clock.now = START + DAY + 1;
  await folding("hourly to daily", "day", "2026-10-31");
  await folding("hourly to daily, again", "day", "2026-10-31");
  await ports.store.advance("day", "2026-10-31");
  await folding("daily to monthly", "month", "2026-10");
  await folding("daily to monthly, again", "month", "2026-10");
  printTable(
    `Folding ${count.toLocaleString("en-US")} raw metrics of one day (memory: the first pass also keeps every value to compare with)`,
    ["", "s", "items/s", "calls", "RRU", "WRU", "memory"],
    rows,
  );

  const exact = day.exact();
  const days = await queryMetrics(ports, queryOf("day", START, START + DAY));
  const months = await queryMetrics(ports, queryOf("month", Date.parse("2026-10-01"), START + DAY));
  printTable(
    "Against all values, sorted",
    ["", "series", "counts and sums", "worst p50", "worst p95", "worst p99"],
    [
      ["daily", ...compare(days, exact)],
      ["monthly", ...compare(months, exact)],
    ],
  );

  await queryYear(ports, metered, days);
}

const queryOf = (granularity: Granularity, from: number, to: number) => ({
  name: "api.request",
  granularity,
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
  dimensions: { status: "2xx" },
});

/** Capacity units to read one series for a year up to the folded day, if every day has as many aggregates as this one. */
async function queryYear(
  ports: { store: MetricStore; clock: () => number },
  metered: (work: () => Promise<unknown>) => Promise<Usage>,
  day: MetricRow[],
): Promise<void> {
  const end = START + DAY;
  const source: Parameters<typeof ports.store.put>[1][number][] = [];
  for await (const page of ports.store.aggregates("day", "api.request", "2026-10-31", "2026-10-31"))
    source.push(...page);
  const copyTo = (granularity: Granularity, first: string, last: string) =>
    ports.store.put(
      granularity,
      windowsBetween(granularity, first, last).flatMap((window) => source.map((row) => ({ ...row, window }))),
    );
  for (const month of windowsBetween("month", "2025-11", "2026-09")) {
    await copyTo("day", `${month}-01`, shift("day", `${shift("month", month, 1)}-01`, -1));
    await copyTo("month", month, month);
  }
  await copyTo("day", "2026-10-01", "2026-10-30");
  const rows: (string | number)[][] = [];
  for (const granularity of ["day", "month"] as const) {
    let found: MetricRow[] = [];
    const began = performance.now();
    const usage = await metered(async () => {
      found = await queryMetrics(ports, queryOf(granularity, Date.parse("2025-11-01"), end));
    });
    const windows = new Set(found.map(({ start }) => start)).size;
    rows.push([granularity, windows, found.length, performance.now() - began, usage.calls, usage.rru]);
  }
  printTable(
    `Querying a year of api.request, 2025-11 to 2026-10 (${day.length} of its ${day.length * 2} aggregates a window)`,
    ["granularity", "windows", "rows", "ms", "calls", "RRU"],
    rows,
  );
}

/** Generates the metrics of the day from `START`, page by page, and records every duration by route and status, in microseconds. */
function makeDay(count: number, shards: number) {
  const durations = new Map<string, number[]>();
  const perShard = Math.round(count / 24 / shards);
  const usage = { pages: 0, rru: 0 };
  const seen = new Set<string>();
  return {
    usage,
    count: perShard * 24 * shards,
    exact: () => new Map([...durations].map(([key, values]) => [key, Float64Array.from(values).sort()])),
    async *raw(hour: string, shard: number): AsyncIterable<RawMetric[]> {
      // A fold also reads the hours before its checkpoint again; they have no metrics.
      if (Date.parse(startOf(hour)) < START) return;
      const isFirst = !seen.has(`${hour} ${shard}`);
      seen.add(`${hour} ${shard}`);
      const random = randomOf(hour, shard).next;
      let page: RawMetric[] = [];
      let bytes = 0;
      for (let n = 0; n < perShard; n++) {
        const item = toRawItem(
          sample(random, Date.parse(startOf(hour)) + Math.floor((n / perShard) * 3_600_000)),
          START,
        );
        const raw = item as unknown as RawMetric;
        if (isFirst) {
          const key = `${raw.dimensions.route} ${raw.dimensions.status}`;
          const values = durations.get(key) ?? [];
          values.push(raw.measures.duration_ms ?? 0);
          durations.set(key, values);
        }
        page.push(raw);
        bytes += ITEM_BYTES;
        if (bytes < PAGE_BYTES && n < perShard - 1) continue;
        usage.pages++;
        usage.rru += Math.ceil(bytes / 4096) / 2;
        yield page;
        page = [];
        bytes = 0;
      }
    },
  };
}

/** A request with a lognormal latency of about 40 ms. One in fifty fails. */
function sample(random: () => number, at: number): Metric {
  const failed = random() < 0.02;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return {
    kind: "api.request",
    dimensions: { route: `GET /v1/route-${Math.floor(random() * ROUTES)}`, status: failed ? "5xx" : "2xx" },
    measures: { duration_ms: Math.round(40_000 * Math.exp(0.9 * normal)) / 1000 },
    user: `user ${Math.floor(random() * USERS)}`,
    at,
    ...(failed ? { error: "internal" } : {}),
  };
}

/** The number of series, whether counts and sums are exact, and the largest relative errors of percentiles. */
function compare(rows: MetricRow[], exact: Map<string, Float64Array>): (string | number)[] {
  const worst = { p50: 0, p95: 0, p99: 0 };
  let wrong = Math.abs(rows.length - ROUTES);
  for (const row of rows) {
    const values = exact.get(`${row.dimensions.route} ${row.dimensions.status}`) ?? new Float64Array();
    const sum = values.reduce((total, value) => total + value, 0) / 1000;
    if (row.count !== values.length || row.sum !== sum || row.min !== (values[0] ?? 0) / 1000) wrong++;
    for (const [name, share] of [
      ["p50", 0.5],
      ["p95", 0.95],
      ["p99", 0.99],
    ] as const) {
      const value = (values[Math.floor(share * (values.length - 1))] ?? Number.NaN) / 1000;
      worst[name] = Math.max(worst[name], Math.abs(row[name] - value) / value);
    }
  }
  const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
  return [
    rows.length,
    wrong === 0 ? "equal" : `${wrong} wrong`,
    percent(worst.p50),
    percent(worst.p95),
    percent(worst.p99),
  ];
}

/** Measures the largest memory of this process until it is stopped. */
function watchMemory(): { stop(): Promise<number> } {
  let peak = 0;
  let running = true;
  const looking = (async () => {
    while (running) {
      peak = Math.max(peak, process.memoryUsage().rss);
      await sleep(LOOK);
    }
  })();
  return {
    async stop() {
      running = false;
      await looking;
      return peak;
    },
  };
}

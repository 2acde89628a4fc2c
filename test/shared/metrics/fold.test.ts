import { PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFoldJob } from "../../../functions/jobs/fold.ts";
import { recordSuccess } from "../../../functions/jobs/middleware.ts";
import { toInstant } from "../../../shared/clock.ts";
import { createTable, type Table } from "../../../shared/dynamodb/table.ts";
import { dimensionKey } from "../../../shared/metrics/aggregate.ts";
import { type FoldOptions, fold } from "../../../shared/metrics/fold.ts";
import { createJobBook } from "../../../shared/metrics/job-book.ts";
import type { Metric } from "../../../shared/metrics/metric.ts";
import { jobKey } from "../../../shared/metrics/metric-keys.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { type MetricRow, queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { toRawItem } from "../../../shared/metrics/recorder.dynamodb.ts";
import { endOf, type Granularity, windowOf } from "../../../shared/metrics/window.ts";
import { buildReport } from "../../../shared/reports/build-report.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-10-29T00:00:00.000Z");
const ROUTES = ["GET /v1/sessions", "POST /v1/sessions/{id}/messages"] as const;

let engines: Engines;
let table: Table;
let now = START;
let calls = 0;
let crashAt: { call: number; kind: "before" | "after" } | undefined;

/** A recorded request and the values to compare with. */
interface Sample {
  at: number;
  id: string;
  route: string;
  duration: number;
  failed: boolean;
  user: string;
}

beforeAll(async () => {
  engines = await startEngines();
  const faulty = new Proxy(engines.dynamodb, {
    get(target, name, receiver) {
      if (name !== "send") return Reflect.get(target, name, receiver);
      return async (command: never) => {
        const crash = crashAt?.call === calls++ ? crashAt.kind : undefined;
        if (crash === "before") throw new Crash();
        const answer = await target.send(command);
        if (crash === "after") throw new Crash();
        return answer;
      };
    },
  });
  table = createTable(faulty, engines.metricsTable);
});
afterAll(() => engines.close());
beforeEach(async () => {
  crashAt = undefined;
  await empty();
});

/** Stores only the checkpoint of a system that has been running for long. */
async function empty(): Promise<void> {
  await table.batchWrite(
    [],
    (await everything()).map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) })),
  );
  await createMetricStore(table).advance("hour", "2026-10-28T23");
}

class Crash extends Error {}

const everything = async () => {
  const items: Record<string, unknown>[] = [];
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await engines.dynamodb.send(new ScanCommand({ TableName: engines.metricsTable, ExclusiveStartKey }));
    items.push(...(page.Items ?? []));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return items;
};

/** The stored aggregates, to compare them byte by byte. */
const aggregates = async () =>
  (await everything())
    .filter(({ pk }) => /^[HDM]#/.test(String(pk)))
    .map((item) =>
      Object.entries(item)
        .map(([name, value]) => `${name}=${textOf(value)}`)
        .sort()
        .join(" "),
    )
    .sort();

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return value instanceof Object ? dimensionKey(value as Record<string, string>) : String(value);
}

const deps = () => ({ store: createMetricStore(table), book: createJobBook(table, () => now), clock: () => now });
const run = (granularity: Granularity, event = {}) =>
  recordSuccess(
    ({ hour: "jobs-fold-hourly", day: "jobs-fold-daily", month: "jobs-fold-monthly" } as const)[granularity],
    deps().book,
    createFoldJob(deps(), granularity),
  )(event, { getRemainingTimeInMillis: () => 900_000 });

/** Folds what was stored at the start up to its day and month, after the month has ended. */
async function foldMonth(): Promise<void> {
  now = START + HOUR + 5 * 60_000;
  await run("hour");
  await deps().store.advance("hour", "2026-10-31T23");
  now = Date.parse("2026-11-01T00:40:00.000Z");
  await run("day", { from: "2026-10-29" });
  await run("month");
}

/** Deterministic and long-tailed. No two samples have the same value. */
const sampleAt = (at: number, n: number): Sample => ({
  at,
  id: `${at}-${n}`,
  route: ROUTES[n % 2]!,
  duration: Math.round(1000 * Math.exp(((n * 7919) % 1000) / 120)) / 1000,
  failed: n % 17 === 0,
  user: `user ${n % 23}`,
});

const toMetric = ({ at, id, route, duration, failed, user }: Sample): Metric => ({
  kind: "api.request",
  dimensions: { route, status: failed ? "5xx" : "2xx" },
  measures: { duration_ms: duration, messages: 2 },
  ...(failed ? { error: "internal" } : {}),
  user,
  at,
  id,
});

const store = (samples: readonly Sample[]) =>
  table.batchWrite(
    samples.map((sample) => toRawItem(toMetric(sample), now)),
    [],
  );

const query = (granularity: Granularity, from: number, to: number, name = "api.request") =>
  queryMetrics(deps(), { name, granularity, from: toInstant(from), to: toInstant(to), dimensions: {} });

/** Computes the expected rows of a window from all values. */
function expectExact(rows: MetricRow[], samples: readonly Sample[], length: number): void {
  const groups = Map.groupBy(samples, ({ at, route, failed }) => `${Math.floor(at / length)} ${route} ${failed}`);
  expect(rows).toHaveLength(groups.size);
  for (const row of rows) {
    const failed = row.dimensions.status === "5xx";
    const key = `${Math.floor(Date.parse(row.start) / length)} ${row.dimensions.route} ${failed}`;
    const values = groups
      .get(key)!
      .map(({ duration }) => duration)
      .sort((a, b) => a - b);
    const sum = values.reduce((total, value) => total + Math.round(value * 1000), 0) / 1000;
    expect(row).toMatchObject({
      count: values.length,
      sum,
      min: values[0],
      max: values.at(-1),
      errors: failed ? values.length : 0,
    });
    expect(row.mean).toBe(sum / values.length);
    for (const [name, share] of [
      ["p50", 0.5],
      ["p95", 0.95],
      ["p99", 0.99],
    ] as const) {
      const exact = values[Math.floor(share * (values.length - 1))]!;
      expect(Math.abs(row[name] - exact) / exact).toBeLessThan(0.01);
    }
  }
}

describe("folds of several days with late, repeated and missing runs", () => {
  it("give exact counts and sums, and percentiles within 1 %, in every tier", { timeout: 120_000 }, async () => {
    const all: Sample[] = [];
    const days = 4; // over the end of October
    for (let hour = 0; hour < days * 24; hour++) {
      const begin = START + hour * HOUR;
      const samples = Array.from({ length: 12 + (hour % 5) * 4 }, (_, n) =>
        sampleAt(begin + n * 60_000 + hour, n * (hour + 1)),
      );
      const late = hour % 6 === 2 ? samples.splice(0, 3) : [];
      now = begin + HOUR;
      await store(samples);
      await store(samples.slice(0, 5)); // delivered twice
      all.push(...samples, ...late);
      now = begin + HOUR + 5 * 60_000;
      const isMissing = hour % 3 !== 0 || (hour >= 30 && hour < 37); // no run for some hours
      if (!isMissing) await run("hour");
      if (hour % 12 === 0) await run("hour"); // a run too many
      await store(late);
      if (hour % 24 === 0 && hour > 0) await run("day");
    }
    now = START + days * DAY + 5 * 60_000;
    await run("hour");
    now += 15 * 60_000;
    await run("day");
    await run("month");

    expectExact(await query("hour", START, now), all, HOUR);
    expectExact(await query("day", START, START + days * DAY), all, DAY);
    const october = all.filter(({ at }) => toInstant(at) < "2026-11");
    const months = await query("month", Date.parse("2026-10-01"), Date.parse("2026-11-01"));
    expectExact(months, october, Number.MAX_SAFE_INTEGER);
    const [messages] = await query("month", Date.parse("2026-10-01"), Date.parse("2026-11-01"), "api.request.messages");
    expect(messages).toMatchObject({ sum: messages!.count * 2, p50: 2 });
    const [users] = await query("month", Date.parse("2026-10-01"), Date.parse("2026-11-01"), "api.users");
    expect(users).toMatchObject({ count: october.length, distinct: 23 });
    const succeeded = (await deps().book.all()).filter(({ succeededAt }) => succeededAt === now);
    expect(succeeded.map(({ name }) => name)).toEqual(["jobs-fold-daily", "jobs-fold-monthly"]);
  });

  it("give the same result wherever a run is interrupted, and a repeated run writes nothing", {
    timeout: 120_000,
  }, async () => {
    const samples = Array.from({ length: 60 }, (_, n) => sampleAt(START + n * 150_000, n));
    now = START + 5 * HOUR + 20 * 60_000;
    const fold = async () => {
      await run("hour");
      await run("day", { from: "2026-10-29" });
    };
    await store(samples);
    await fold();
    const expected = await aggregates();
    expect(expected.length).toBeGreaterThan(10);
    await fold();
    expect(await aggregates()).toEqual(expected);

    calls = 0;
    await fold();
    const steps = calls;
    for (const kind of ["before", "after"] as const) {
      for (let call = 0; call < steps; call += Math.ceil(steps / 4)) {
        await empty();
        await store(samples);
        calls = 0;
        crashAt = { call, kind };
        await expect(fold()).rejects.toThrow();
        crashAt = undefined;
        await fold();
        expect(await aggregates()).toEqual(expected);
      }
    }
  });

  it("keep aggregates as long as the retention policy says, and monthly ones forever", async () => {
    await store([sampleAt(START, 1)]);
    await foldMonth();
    const lifetimes = (await everything())
      .filter(({ series }) => series === "api.request")
      .map(({ pk, window, expires_at }) => {
        const start = Date.parse(`${window}${"0000-01-01T00:00Z".slice(String(window).length)}`);
        return [String(pk)[0], expires_at === undefined ? null : (Number(expires_at) * 1000 - start) / DAY];
      });
    expect(Object.fromEntries(lifetimes)).toEqual({ H: 90, D: 365, M: null });
  });

  it("keep the hashes of users as long as a month can be folded again, and then only the number of users", async () => {
    await store([1, 2, 3].map((n) => sampleAt(START + n, n)));
    await foldMonth();
    const month = async () => (await everything()).find(({ pk }) => pk === "M#api.users");
    now = Date.parse("2027-09-30T00:40:00.000Z");
    await run("month");
    expect(await month()).toMatchObject({ users: expect.any(Uint8Array) });
    now = Date.parse("2027-10-01T00:40:00.000Z");
    for (let runs = 0; runs < 2; runs++) {
      await run("month");
      expect(await month()).toMatchObject({ count: 3, distinct: 3 });
      expect(await month()).not.toHaveProperty("users");
    }
    const [row] = await query("month", Date.parse("2026-10-01"), Date.parse("2026-11-01"), "api.users");
    expect(row?.distinct).toBe(3);
    const { figures } = await buildReport({ store: deps().store, clock: () => now }, "2026-10");
    expect([figures.active_users, figures.return_rate]).toEqual([3, null]);
  });

  it("limit the dimensions of a window, and keep the same ones when more arrive late", async () => {
    const routes = Array.from({ length: 300 }, (_, n) => ({
      ...sampleAt(START + n * 1000, n),
      route: `GET /${n}`,
      failed: false,
    }));
    now = START + HOUR + 5 * 60_000;
    await store(routes.slice(100));
    await run("hour");
    const first = await query("hour", START, now);
    expect(first).toHaveLength(200);
    expect(first.find(({ dimensions }) => dimensions.route === "other")).toMatchObject({
      count: 1,
      dimensions: { status: "other" },
    });
    await store(routes.slice(0, 100));
    await run("hour");
    const second = await query("hour", START, now);
    expect(second.map(({ dimensions }) => dimensions)).toEqual(first.map(({ dimensions }) => dimensions));
    expect(second.reduce((sum, { count }) => sum + count, 0)).toBe(300);
  });
});

describe("the first window of a fold", () => {
  /** One request in each of the hours 0 to 8. The fold has run up to hour 3. */
  const hours = Array.from({ length: 9 }, (_, hour) => sampleAt(START + hour * HOUR + 60_000, 1));
  const folded = async () => {
    await store(hours.slice(0, 4));
    now = START + 4 * HOUR + 5 * 60_000;
    await run("hour");
    await store(hours.slice(4));
    now = START + 9 * HOUR + 5 * 60_000;
  };
  const counts = async () => {
    const rows = await query("hour", START, START + 9 * HOUR);
    return rows.map(({ start, count }) => [Number(start.slice(11, 13)), count]);
  };

  it.each(["2026-10-29T03", "2026-10-29T07", "2026-10-29T08", "2030-01-01T00"])(
    "leaves no gap when an operator requests %s, which is later than the next window",
    async (from) => {
      await folded();
      await run("hour", { from });
      expect(await counts()).toEqual(hours.map((_, hour) => [hour, 1]));
      expect(await deps().store.checkpoint("hour")).toMatchObject({ through: "2026-10-29T08" });
    },
  );

  it("leaves no gap after a first run", async () => {
    await table.batchWrite([], [jobKey("checkpoint-hour")]);
    await store(hours);
    now = START + 9 * HOUR + 5 * 60_000;
    await run("hour", { from: "2026-10-29T08" });
    expect(await counts()).toEqual(hours.map((_, hour) => [hour, 1]));
  });

  it.each([
    ["hour", "2026-10-29"],
    ["hour", "2026-10-29T24"],
    ["hour", "yesterday"],
    ["day", "2026-10-29T07"],
    ["day", "2026-02-30"],
    ["month", "2026-13"],
    ["month", ""],
  ] as const)("is refused when it is no %s: %j", async (granularity, from) => {
    const folding = fold(deps(), granularity, { deadline: now + HOUR, from });
    await expect(folding).rejects.toMatchObject({ code: "validation_failed", fields: [{ path: "from" }] });
  });

  it.each([
    ["hour", 3, "2026-10-29T04"],
    ["day", 2, "2026-10-27"],
    ["month", 1, "2026-09"],
  ] as const)(
    "of a repeated run is, by %s, the %i before the newest that it folds again for what came late",
    async (granularity, count, newest) => {
      // There are no metrics, so only the reads show which windows were folded.
      await Promise.all(
        (["hour", "day", "month"] as const).map((each) => deps().store.advance(each, windowOf(each, "2026-12-31T23"))),
      );
      await table.batchWrite([], [jobKey(`checkpoint-${granularity}`)]);
      await deps().store.advance(granularity, newest);
      now = Date.parse(endOf(granularity, newest)) + 60_000;
      const result = await fold(deps(), granularity, { deadline: now + HOUR });
      expect(result).toMatchObject({ windows: count, through: newest, complete: true });
    },
  );

  it("is three hours before the newest, so that metrics that arrive two hours late are counted", async () => {
    await folded();
    await run("hour");
    const late = [5, 6, 7, 8].map((hour) => sampleAt(START + hour * HOUR + 90_000, 3));
    await store(late);
    await run("hour");
    expect(await counts()).toEqual(hours.map((_, hour) => [hour, hour < 6 ? 1 : 2]));
  });
});

describe("a fold", () => {
  const run = (granularity: Granularity, more: Partial<FoldOptions> = {}) =>
    fold(deps(), granularity, { deadline: now + HOUR, ...more });

  it("of a day or month waits until the finer windows are folded", async () => {
    await deps().store.advance("hour", "2026-10-29T22");
    await deps().store.advance("day", "2026-10-28");
    now = START + DAY + 20 * 60_000;
    expect(await run("day")).toMatchObject({ windows: 2, through: "2026-10-28", complete: false });
    await deps().store.advance("hour", "2026-10-29T23");
    expect(await run("day")).toMatchObject({ windows: 3, through: "2026-10-29", complete: true });
    now = Date.parse("2026-11-01T00:35:00.000Z");
    expect(await run("month")).toMatchObject({ windows: 0, through: null, complete: false });
    await deps().store.advance("day", "2026-10-31");
    expect(await run("month")).toMatchObject({ windows: 1, through: "2026-10", complete: true });
  });

  it("stops between two windows at its deadline, and the next run continues", async () => {
    now = START + 3 * HOUR;
    expect(await run("hour", { deadline: now })).toMatchObject({
      windows: 0,
      through: "2026-10-28T23",
      complete: false,
    });
    let left = 2;
    const clock = () => (left-- > 0 ? now : now + 2 * HOUR);
    const short = await fold({ ...deps(), clock }, "hour", { deadline: now + HOUR });
    expect(short).toMatchObject({ windows: 1, complete: false });
    expect(await run("hour")).toMatchObject({ through: "2026-10-29T02", complete: true });
  });

  it("does not fold a window again when some of its sources may have expired", async () => {
    await deps().store.advance("day", "2026-10-31");
    now = Date.parse("2026-11-01T00:35:00.000Z");
    const { windows } = await run("month", { from: "2000-01" });
    // Daily aggregates are kept for 365 days: the first whole month is November of the year before.
    expect(windows).toBe(11);
  });

  it("writes only the aggregates that have changed", async () => {
    await store([sampleAt(START + 60_000, 1), sampleAt(START + 2 * HOUR, 2)]);
    now = START + 3 * HOUR + 5 * 60_000;
    expect((await run("hour")).written).toBeGreaterThan(2);
    expect((await run("hour")).written).toBe(0);
    await store([sampleAt(START + 2 * HOUR + 60_000, 4)]);
    const { written } = await run("hour");
    // Duration, messages and users of one hour.
    expect(written).toBe(3);
  });

  it("of earlier windows never moves the checkpoint back", async () => {
    await deps().store.advance("hour", "2026-10-29T10");
    await deps()
      .store.advance("hour", "2026-10-29T05")
      .catch(() => undefined);
    expect(await deps().store.checkpoint("hour")).toEqual({ since: "2026-10-28T23", through: "2026-10-29T10" });
  });
});

describe("metrics that are not folded yet", () => {
  it("are included in the running hour, day and month", async () => {
    const samples = Array.from({ length: 90 }, (_, n) => sampleAt(START + n * 60_000, n));
    await store(samples);
    now = START + HOUR + 2 * 60_000; // the hour before has ended and waits for its fold
    expectExact(await query("hour", START, now), samples, HOUR);
    now = START + 90 * 60_000;
    await run("hour");
    for (const [granularity, from] of [
      ["hour", START],
      ["day", START],
      ["month", Date.parse("2026-10-01")],
    ] as const) {
      const rows = await query(granularity, from, now);
      expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(90);
    }
  });

  it("are counted once together with folded ones", async () => {
    await engines.dynamodb.send(
      new PutCommand({ TableName: engines.metricsTable, Item: toRawItem(toMetric(sampleAt(START, 1)), now) }),
    );
    now = START + HOUR + 5 * 60_000;
    await run("hour");
    await store([sampleAt(now, 3)]);
    const rows = await query("day", START, now + 1);
    expect(rows.map(({ count }) => count)).toEqual([2]);
  });
});

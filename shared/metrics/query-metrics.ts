import * as z from "zod";
import { type Clock, toInstant } from "../clock.ts";
import { invalidInput } from "../errors.ts";
import { prefetch, withFirstPage } from "../prefetch.ts";
import { type Aggregate, createAccumulator } from "./aggregate.ts";
import { countDistinct } from "./distinct.ts";
import { partsOf, rawOf } from "./fold.ts";
import { inUnit, seriesNames } from "./metric.ts";
import type { Checkpoint, MetricStore, Windowed } from "./metric-store.ts";
import { quantiles } from "./sketch.ts";
import { finer, type Granularity, shift, startOf, windowOf, windowsBetween } from "./window.ts";

/** Maximum rows of one response, because Lambda responses have 6 MB at most. */
const MAX_ROWS = 10_000;

/** Number of the newest hours that are aggregated from raw metrics: the current one, and those that may not be folded yet. */
const LIVE_HOURS = 3;

/** Series that are queried in parallel. */
const AT_ONCE = 8;

/** Maximum pages of raw metrics (1 MB each) of an hour. If it has more, it is estimated from the shards that were read. */
const LIVE_PAGES = 64;

interface MetricsQuery {
  /** Series; absent = all. */
  name?: string;
  granularity: Granularity;
  /** Instants. The windows that begin at or after `from` and before `to`. */
  from: string;
  to: string;
  /** Values that dimensions must have. @default any */
  dimensions?: Record<string, string>;
  /** Merges the rows of a window that are equal in this dimension; `none` merges all rows of a series. @default nothing is merged */
  by?: string | undefined;
  /** Omits hours that are not folded yet, so that no raw metrics are read. @default false */
  foldedOnly?: boolean;
}

const number = z.number();

/** An aggregate in the measure's unit, as the API shows it. */
export const metricRowSchema = z
  .object({
    start: z.iso.datetime(),
    name: z.string(),
    dimensions: z.record(z.string(), z.string()),
    count: z.int(),
    errors: z.int(),
    sum: number,
    min: number,
    max: number,
    mean: number,
    p50: number,
    p95: number,
    p99: number,
    distinct: z.int().optional().meta({ description: "Distinct users. Only in `api.users`." }),
  })
  .meta({ id: "MetricAggregate" });
export type MetricRow = z.infer<typeof metricRowSchema>;

/** Returns the aggregates of a range of windows in the API's form. Throws `validation_failed` if there are more than 10,000. */
export async function queryMetrics(ports: Ports, query: MetricsQuery): Promise<MetricRow[]> {
  const rows = await readAggregates(ports, query);
  return (query.by === undefined ? rows : mergeBy(query.by, rows)).map(toMetricRow);
}

/** Merges the rows of each window that are equal in one dimension. The rows are ordered by window. */
function mergeBy(dimension: string, rows: readonly Windowed[]): Windowed[] {
  const windows = Map.groupBy(rows, ({ window }) => window);
  return [...windows].flatMap(([window, parts]) => {
    const accumulator = createAccumulator();
    for (const row of parts) {
      const value = row.dimensions[dimension];
      accumulator.merge({ ...row, dimensions: value === undefined ? {} : { [dimension]: value } });
    }
    return accumulator.result().map((row) => ({ ...row, window }));
  });
}

interface Ports {
  store: MetricStore;
  clock: Clock;
}

/**
 * Reads the aggregates of a range of windows. Folded windows are stored, so reading them does not cost more with more requests. Windows
 * that are still running or not folded yet are aggregated from finer windows or raw metrics.
 */
export async function readAggregates(
  { store, clock }: Ports,
  { name, granularity, from, to, dimensions = {}, foldedOnly }: MetricsQuery,
): Promise<Windowed[]> {
  const now = toInstant(clock());
  const last = windowOf(granularity, toInstant(Date.parse(earlier(to, now)) - 1));
  const begun = windowOf(granularity, from);
  const first = startOf(begun) < from ? shift(granularity, begun, 1) : begun;
  const range = { names: name === undefined ? seriesNames : [name], first, last };
  const live = await liveHours(store, now, foldedOnly ? 0 : LIVE_HOURS);
  const rows: Windowed[] = [];
  for await (const found of read(store, granularity, range, live)) {
    for (const row of found) if (matches(row, dimensions)) rows.push(row);
    if (rows.length > MAX_ROWS) {
      const message = `the range has more than ${MAX_ROWS} rows: use a shorter range, or give a name`;
      throw invalidInput({ path: "from", message });
    }
  }
  return rows.sort((a, b) => (a.window < b.window ? -1 : a.window > b.window ? 1 : 0));
}

interface Range {
  names: readonly string[];
  first: string;
  last: string;
}

/** The hours that are not folded yet. */
interface Live {
  now: string;
  /** The checkpoint of the hourly fold. */
  folded: Checkpoint | null;
  /** The first hour that has data. */
  since: string;
  /** Aggregates an hour from its raw metrics, once. */
  hour(window: string): Promise<Windowed[]>;
}

async function* read(
  store: MetricStore,
  granularity: Granularity,
  { names, first, last }: Range,
  live: Live,
): AsyncIterable<Windowed[]> {
  const folded = granularity === "hour" ? live.folded : await store.checkpoint(granularity);
  const through = folded?.through;
  const lastFolded = through === undefined ? last : earlier(through, last);
  if (through !== undefined && first <= lastFolded) {
    const aggregatesOf = (name: string) => withFirstPage(store.aggregates(granularity, name, first, lastFolded));
    for await (const pages of prefetch(names, AT_ONCE, aggregatesOf)) yield* pages;
  }
  const open = [first, windowOf(granularity, live.since), through === undefined ? "" : shift(granularity, through, 1)];
  const firstOpen = open.reduce((latest, window) => (window > latest ? window : latest));
  const windows = windowsBetween(granularity, firstOpen, last);
  if (granularity === "hour") {
    const hours = await Promise.all(windows.map((window) => live.hour(window)));
    yield hours.flat().filter(({ series }) => names.includes(series));
  } else {
    for (const window of windows) yield await addUp(store, granularity, window, names, live);
  }
}

/** Aggregates a window that is not folded yet from finer windows. */
async function addUp(
  store: MetricStore,
  granularity: "day" | "month",
  window: string,
  names: readonly string[],
  live: Live,
): Promise<Windowed[]> {
  const accumulator = createAccumulator();
  const [first, last] = partsOf(granularity, window);
  const running = windowOf(finer[granularity], live.now);
  const range = { names, first, last: earlier(last, running) };
  for await (const rows of read(store, finer[granularity], range, live)) for (const row of rows) accumulator.merge(row);
  return accumulator.result().map((row) => ({ ...row, window }));
}

async function liveHours(store: MetricStore, now: string, count: number): Promise<Live> {
  const running = windowOf("hour", now);
  const oldest = shift("hour", running, 1 - count);
  const hours = new Map<string, Promise<Windowed[]>>();
  const folded = await store.checkpoint("hour");
  return {
    now,
    folded,
    since: folded?.since ?? oldest,
    async hour(window) {
      if (window < oldest || window > running) return [];
      const found = hours.get(window) ?? addUpRaw(store, window);
      hours.set(window, found);
      return await found;
    },
  };
}

/**
 * Aggregates an hour from its raw metrics. If they have more than 64 MB, it reads only some shards and scales the result up, to limit the
 * cost. The shards are a fair sample, because metrics are distributed over them at random.
 */
async function addUpRaw(store: MetricStore, hour: string): Promise<Windowed[]> {
  const accumulator = createAccumulator();
  let shard = 0;
  let read = 0;
  for await (const pages of rawOf(store, hour)) {
    for await (const page of pages) {
      for (const raw of page) accumulator.addRaw(raw);
      if (page.length > 0) read++;
    }
    shard++;
    if (read >= LIVE_PAGES) break;
  }
  const rows = accumulator.result();
  if (shard === store.shards) return rows.map((row) => ({ ...row, window: hour }));
  const whole = createAccumulator();
  for (const row of rows) whole.merge(row, store.shards / shard);
  return whole.result().map((row) => ({ ...row, window: hour, count: Math.round(row.count) }));
}

/** The earlier of two windows or instants. */
const earlier = (a: string, b: string): string => (a < b ? a : b);

const matches = ({ dimensions }: Aggregate, wanted: Record<string, string>): boolean =>
  Object.entries(wanted).every(([name, value]) => dimensions[name] === value);

/** An aggregate in the API's form. */
export function toMetricRow({ window, series, dimensions, count, errors, users, ...rest }: Windowed): MetricRow {
  const [sum, min, max] = [rest.sum, rest.min, rest.max].map((parts) => inUnit(series, parts)) as Triple;
  const [p50, p95, p99] = quantiles(rest.sketch, [0.5, 0.95, 0.99], rest.min, rest.max).map((parts) =>
    inUnit(series, Math.round(parts ?? 0)),
  ) as Triple;
  const distinct = users ? countDistinct(users) : rest.distinct;
  return {
    start: startOf(window),
    name: series,
    dimensions,
    count,
    errors: Math.round(errors),
    sum,
    min,
    max,
    mean: sum / count,
    p50,
    p95,
    p99,
    ...(distinct === undefined ? {} : { distinct }),
  };
}

type Triple = [number, number, number];

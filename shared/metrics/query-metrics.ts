import { type Clock, toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { prefetch, withFirstPage } from "../prefetch.ts";
import { type Aggregate, createAccumulator } from "./aggregate.ts";
import { countDistinct } from "./distinct.ts";
import { partsOf, rawOf } from "./fold.ts";
import { inUnit, seriesNames } from "./metric.ts";
import type { Checkpoint, MetricStore, Windowed } from "./metric-store.ts";
import { quantiles } from "./sketch.ts";
import { finer, type Granularity, shift, startOf, windowOf, windowsBetween } from "./window.ts";

/** Rows of one answer, which has 6 MB at most. */
const MAX_ROWS = 10_000;

/** Hours that are added up from raw metrics at most: the running one, and those before it that wait for their fold. */
const LIVE_HOURS = 3;

/** Series whose aggregates are asked for at the same time. */
const AT_ONCE = 8;

/** Pages of raw metrics (1 MB each) after which an hour is judged by the shards read so far. */
const LIVE_PAGES = 64;

interface MetricsQuery {
  /** Series; absent = all. */
  name?: string;
  granularity: Granularity;
  /** Instants; the windows that begin at or after `from` and before `to`. */
  from: string;
  to: string;
  /** What dimensions must be. @default anything */
  dimensions?: Record<string, string>;
  /** Leaves out the hours that are not folded yet, and so all raw metrics. @default false */
  foldedOnly?: boolean;
}

/** An aggregate in the measure's unit, as the API shows it. */
export interface MetricRow {
  start: string;
  name: string;
  dimensions: Record<string, string>;
  count: number;
  errors: number;
  sum: number;
  min: number;
  max: number;
  mean: number;
  p50: number;
  p95: number;
  p99: number;
  /** How many different users; the series of users only. */
  distinct?: number;
}

/**
 * The aggregates of a range of windows, as the API shows them. Throws `validation_failed` for a range with more than
 * 10,000 rows.
 */
export async function queryMetrics(ports: Ports, query: MetricsQuery): Promise<MetricRow[]> {
  return (await readAggregates(ports, query)).map(toMetricRow);
}

interface Ports {
  store: MetricStore;
  clock: Clock;
}

/**
 * The aggregates of a range of windows. Windows that have been folded are read as they are stored, so their cost does
 * not grow with the requests in them; the running ones, and those not folded yet, are added up from what is finer.
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
    if (rows.length > MAX_ROWS) throw tooMany();
  }
  return rows.sort((a, b) => (a.window < b.window ? -1 : a.window > b.window ? 1 : 0));
}

interface Range {
  names: readonly string[];
  first: string;
  last: string;
}

/** Hours that are not folded yet, added up from raw metrics. */
interface Live {
  now: string;
  /** The hours that are folded. */
  folded: Checkpoint | null;
  /** The first hour that was ever folded, or the running one: nothing is stored before it. */
  since: string;
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

/** A window that is not folded yet, from what is finer. */
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
 * An hour from its raw metrics. Beyond 64 MB of them, from as many shards as it takes to get there, which are a fair
 * sample as chance spreads metrics over shards: the answer is then an estimate, at a cost that does not grow.
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

/** Of two windows or instants. */
const earlier = (a: string, b: string): string => (a < b ? a : b);

const matches = ({ dimensions }: Aggregate, wanted: Record<string, string>): boolean =>
  Object.entries(wanted).every(([name, value]) => dimensions[name] === value);

export function toMetricRow({ window, series, dimensions, count, errors, users, ...rest }: Windowed): MetricRow {
  const [sum, min, max] = [rest.sum, rest.min, rest.max].map((parts) => inUnit(series, parts)) as Triple;
  const [p50, p95, p99] = quantiles(rest.sketch, [0.5, 0.95, 0.99], rest.min, rest.max).map((parts) =>
    inUnit(series, Math.round(parts ?? 0)),
  ) as Triple;
  const distinct = users ? { distinct: countDistinct(users) } : {};
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
    ...distinct,
  };
}

type Triple = [number, number, number];

function tooMany(): AppError {
  const message = `the range has more than ${MAX_ROWS} rows; ask for less, or name a series`;
  return new AppError("validation_failed", `from: ${message}`, { fields: [{ path: "from", message }] });
}

import { type Clock, toInstant } from "../clock.ts";
import { type AppError, invalidInput } from "../errors.ts";
import { prefetch, withFirstPage } from "../prefetch.ts";
import { retention } from "../retention/policy.ts";
import { createAccumulator, dimensionKey, type RawMetric } from "./aggregate.ts";
import { countDistinct, encodeDistinct } from "./distinct.ts";
import { type Kind, seriesNames, seriesOfKind, USERS } from "./metric.ts";
import type { MetricStore, Windowed } from "./metric-store.ts";
import { encodeSketch } from "./sketch.ts";
import { endOf, finer, type Granularity, isWindow, shift, startOf, windowOf, windowsBetween } from "./window.ts";

/** Number of the newest windows that each run folds again, because values may arrive late. */
const REFOLDED = { hour: 3, day: 2, month: 1 } as const;

/** Number of windows that the first run folds. */
const FIRST_RUN = { hour: 24, day: 2, month: 1 } as const;

/** Seconds for which the sources of a window are kept. An older window must not be folded again, because its sources are incomplete. */
const sourceSeconds = (granularity: Granularity): number =>
  ({ hour: retention.rawMetric, day: retention.hourlyAggregate, month: retention.dailyAggregate })[granularity].seconds;

interface Folded {
  granularity: Granularity;
  /** Windows folded in this run. */
  windows: number;
  /** Aggregates that this run wrote: those that are new or have changed. */
  written: number;
  /** The last window that is folded; `null` = none. */
  through: string | null;
  /** False when the deadline came first or finer windows are not folded yet. The next run continues. */
  complete: boolean;
}

export interface FoldOptions {
  /** Epoch milliseconds after which no window is begun. */
  deadline: number;
  /** An earlier window to start from. A later window than the usual start has no effect, so that no window is skipped. */
  from?: string;
}

/**
 * Folds the windows that have ended: hours from raw metrics, days from hours, months from days. A run starts a few windows before the
 * checkpoint. The aggregates of a window are a function of its stored sources, so a run may be repeated or interrupted. It deletes
 * nothing, because TTL does. Throws `validation_failed` if `from` is not the name of a window.
 */
export async function fold(
  { store, clock }: { store: MetricStore; clock: Clock },
  granularity: Granularity,
  { deadline, from }: FoldOptions,
): Promise<Folded> {
  if (from !== undefined && !isWindow(granularity, from)) throw notWindow(granularity, from);
  const now = clock();
  const through = (await store.checkpoint(granularity))?.through ?? null;
  if (granularity === "month") await forgetUsers(store, now);
  const result: Folded = { granularity, windows: 0, written: 0, through, complete: true };
  const newest = shift(granularity, windowOf(granularity, toInstant(now)), -1);
  const ready = await readyThrough(store, granularity);

  for (const window of windowsBetween(granularity, firstOf(granularity, from, through, newest, now), newest)) {
    if ((ready !== null && endOf(granularity, window) > ready) || clock() >= deadline) {
      return { ...result, complete: false };
    }
    result.written += await foldWindow(store, granularity, window);
    result.windows++;
    if (result.through !== null && window <= result.through) continue;
    await store.advance(granularity, window);
    result.through = window;
  }
  return result;
}

/** Returns the instant up to which finer windows are folded; `null` for hours, which have no finer windows. */
async function readyThrough(store: MetricStore, granularity: Granularity): Promise<string | null> {
  if (granularity === "hour") return null;
  const checkpoint = await store.checkpoint(finer[granularity]);
  return checkpoint === null ? "" : endOf(finer[granularity], checkpoint.through);
}

function firstOf(
  granularity: Granularity,
  from: string | undefined,
  through: string | null,
  newest: string,
  now: number,
): string {
  const usual =
    through === null
      ? shift(granularity, newest, 1 - FIRST_RUN[granularity])
      : shift(granularity, through < newest ? through : newest, 1 - REFOLDED[granularity]);
  const oldest = shift(granularity, windowOf(granularity, toInstant(now - sourceSeconds(granularity) * 1000)), 1);
  const wanted = from !== undefined && from < usual ? from : usual;
  if (wanted < oldest) return oldest;
  return wanted;
}

const EXAMPLE = { hour: "2026-11-21T09", day: "2026-11-21", month: "2026-11" } as const;

function notWindow(granularity: Granularity, from: string): AppError {
  const message = `must be a ${granularity} such as ${EXAMPLE[granularity]}, not ${JSON.stringify(from)}`;
  return invalidInput({ path: "from", message });
}

/**
 * Replaces the hashes of users by their number in months that are never folded again, because their days have expired. The hashes are no
 * longer needed: only the reports of the month and of the next one compare them.
 */
async function forgetUsers(store: MetricStore, now: number): Promise<void> {
  const last = windowOf("month", toInstant(now - sourceSeconds("month") * 1000));
  for await (const rows of store.aggregates("month", USERS, "", last)) {
    const old = rows.flatMap(({ users, ...row }) => (users ? [{ ...row, distinct: countDistinct(users) }] : []));
    await store.put("month", old);
  }
}

/** Folds one window and writes the aggregates that are new or have changed. Returns their number. */
async function foldWindow(store: MetricStore, granularity: Granularity, window: string): Promise<number> {
  const accumulator = createAccumulator();
  const stored = new Map<string, string>();
  /** Reserves places for the aggregates of an earlier run, and keeps their fingerprints. */
  const prepare = async (series: string) => {
    for await (const rows of store.aggregates(granularity, series, window, window)) {
      accumulator.admit(
        series,
        rows.map(({ dimensions }) => dimensions),
      );
      for (const row of rows) stored.set(placeOf(row), fingerprint(row));
    }
  };

  if (granularity === "hour") {
    const prepared = new Set<Kind>();
    for await (const pages of rawOf(store, window)) {
      for await (const page of pages) {
        const fresh = [...new Set(page.map(({ kind }) => kind))].filter((kind) => !prepared.has(kind));
        await Promise.all(fresh.flatMap(seriesOfKind).map(prepare));
        for (const kind of fresh) prepared.add(kind);
        for (const raw of page) accumulator.addRaw(raw);
      }
    }
  } else {
    const [first, last] = partsOf(granularity, window);
    for (const series of seriesNames) {
      for await (const rows of store.aggregates(finer[granularity], series, first, last)) {
        if (rows.length > 0 && !accumulator.has(series)) await prepare(series);
        for (const row of rows) accumulator.merge(row);
      }
    }
  }

  const rows = accumulator.result().map((row) => ({ ...row, window }));
  const changed = rows.filter((row) => stored.get(placeOf(row)) !== fingerprint(row));
  await store.put(granularity, changed);
  return changed.length;
}

/** Reads the raw metrics of an hour, shard by shard. It requests the first pages of all shards in parallel, and the others in order. */
export function rawOf(store: MetricStore, hour: string): AsyncIterable<AsyncIterable<RawMetric[]>> {
  const shards = Array.from({ length: store.shards }, (_, shard) => shard);
  return prefetch(shards, store.shards, (shard) => withFirstPage(store.raw(hour, shard)));
}

/** Returns the first and the last finer window of a window. */
export function partsOf(granularity: "day" | "month", window: string): [first: string, last: string] {
  const part = finer[granularity];
  const end = windowOf(part, endOf(granularity, window));
  return [windowOf(part, startOf(window)), shift(part, end, -1)];
}

const placeOf = ({ series, dimensions }: Windowed): string => `${series}#${dimensionKey(dimensions)}`;

/** Returns a text that is equal for equal aggregates. */
function fingerprint({ count, errors, sum, min, max, sketch, users = [] }: Windowed): string {
  const [bins, hashes] = [encodeSketch(sketch), encodeDistinct(users)].map((bytes) =>
    Buffer.from(bytes).toString("base64"),
  );
  return JSON.stringify([count, errors, sum, min, max, bins, hashes]);
}

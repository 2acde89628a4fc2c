import { type Distinct, union } from "./distinct.ts";
import { dimensionValue, type Kind, seriesOf, USERS, vocabulary } from "./metric.ts";
import { addTo, mergeInto, type Sketch } from "./sketch.ts";

/** The aggregate of one series in one window. Values are whole parts of the measure's unit. */
export interface Aggregate {
  /** Name of the series, as in `api.request`. */
  series: string;
  dimensions: Record<string, string>;
  count: number;
  /** Number of values with an error. */
  errors: number;
  sum: number;
  min: number;
  max: number;
  sketch: Sketch;
  /** Distinct users; only in the series of users. */
  users?: Distinct;
  /** The number of distinct users. It replaces `users` in old months. */
  distinct?: number;
}

/** A raw metric as it is stored. */
export interface RawMetric {
  kind: Kind;
  dimensions: Record<string, string>;
  /** Whole parts of each measure's unit. */
  measures: Record<string, number>;
  error?: string;
  /** 48 bits in hex. */
  user?: string;
}

/** Maximum number of distinct dimensions per series and window. Values of further dimensions are aggregated as `other`. */
const MAX_DIMENSIONS = 200;

const OTHER = "other";

/** Aggregates the values of one window. The vocabulary and `MAX_DIMENSIONS` limit its memory. */
interface Accumulator {
  /** Reserves places for the dimensions that an earlier run has stored, so that a repeated run gives the same result. */
  admit(series: string, dimensions: readonly Record<string, string>[]): void;
  /** Whether the series has values or reserved places. */
  has(series: string): boolean;
  /** Adds a raw metric to all its series. */
  addRaw(raw: RawMetric): void;
  /** Adds an aggregate of a finer window `times` times. */
  merge(part: Aggregate, times?: number): void;
  /** Returns the aggregates of all series that have values. */
  result(): Aggregate[];
}

export function createAccumulator(): Accumulator {
  const bySeries = new Map<string, Map<string, Aggregate | null>>();
  const users = new Set<number>();
  let known: Distinct = [];

  const placesOf = (series: string) => {
    const places = bySeries.get(series) ?? new Map<string, Aggregate | null>();
    bySeries.set(series, places);
    return places;
  };

  /** The aggregate of a series with these dimensions, or that of `other`. */
  const placeOf = (series: string, dimensions: Record<string, string>): Aggregate => {
    const places = placesOf(series);
    let key = dimensionKey(dimensions);
    let kept = dimensions;
    if (!places.has(key) && places.size >= MAX_DIMENSIONS - 1) {
      kept = Object.fromEntries(Object.keys(dimensions).map((name) => [name, OTHER]));
      key = dimensionKey(kept);
    }
    const found = places.get(key);
    if (found) return found;
    const made = emptyAggregate(series, kept);
    places.set(key, made);
    return made;
  };

  return {
    admit(series, dimensions) {
      const places = placesOf(series);
      for (const each of dimensions) if (!places.has(dimensionKey(each))) places.set(dimensionKey(each), null);
    },
    has: (series) => bySeries.has(series),

    addRaw({ kind, dimensions, measures, error, user }) {
      for (const measure of vocabulary[kind].measures) {
        const value = measures[measure];
        if (value !== undefined) add(placeOf(seriesOf(kind, measure), dimensions), value, error !== undefined);
      }
      if (kind === "api.request" && user !== undefined) {
        add(placeOf(USERS, {}), 1, error !== undefined);
        users.add(Number.parseInt(user, 16));
        if (users.size > MAX_USERS) shrink();
      }
    },

    merge(part, times = 1) {
      const place = placeOf(part.series, part.dimensions);
      place.count += part.count * times;
      place.errors += part.errors * times;
      place.sum += part.sum * times;
      place.min = Math.min(place.min, part.min);
      place.max = Math.max(place.max, part.max);
      mergeInto(place.sketch, part.sketch, times);
      if (part.users) known = union(known, part.users);
    },

    result() {
      shrink();
      const all = [...bySeries.values()].flatMap((places) => [...places.values()].filter((place) => place !== null));
      return all.map((place) => (place.series === USERS ? { ...place, users: known } : place));
    },
  };

  function shrink(): void {
    known = union(known, users);
    users.clear();
  }
}

/** Number of hashes of users that are collected before they are reduced to the smallest ones. */
const MAX_USERS = 10_000;

function emptyAggregate(series: string, dimensions: Record<string, string>): Aggregate {
  const [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return { series, dimensions, count: 0, errors: 0, sum: 0, min, max, sketch: new Map() };
}

function add(place: Aggregate, value: number, failed: boolean): void {
  place.count++;
  if (failed) place.errors++;
  place.sum += value;
  if (value < place.min) place.min = value;
  if (value > place.max) place.max = value;
  addTo(place.sketch, value);
}

/** Returns dimensions as a part of a key, such as `route=GET /v1/sessions&status=2xx`. */
export function dimensionKey(dimensions: Record<string, string>): string {
  return Object.entries(dimensions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${dimensionValue(value)}`)
    .join("&");
}

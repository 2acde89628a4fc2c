import { type Distinct, union } from "./distinct.ts";
import { dimensionValue, type Kind, seriesOf, USERS, vocabulary } from "./metric.ts";
import { addTo, mergeInto, type Sketch } from "./sketch.ts";

/** What is known of all the values of one series in one window. Values are whole parts of the measure's unit. */
export interface Aggregate {
  /** Name of the series, as in `api.request`. */
  series: string;
  dimensions: Record<string, string>;
  count: number;
  /** How many of them failed. */
  errors: number;
  sum: number;
  min: number;
  max: number;
  sketch: Sketch;
  /** Who they were about; the series of users only. */
  users?: Distinct;
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

/** Different dimensions that a series has in one window; what comes beyond is counted under `other`. */
const MAX_DIMENSIONS = 200;

const OTHER = "other";

/** The values of one window, added up. Memory is bounded by the vocabulary and `MAX_DIMENSIONS`. */
interface Accumulator {
  /** Gives a place of their own to dimensions which an earlier run has given one, so that a repeated run agrees. */
  admit(series: string, dimensions: readonly Record<string, string>[]): void;
  has(series: string): boolean;
  addRaw(raw: RawMetric): void;
  /** Adds an aggregate of a finer window, `times` over. */
  merge(part: Aggregate, times?: number): void;
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

  /** Where the values of a series with these dimensions are added up. */
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

/** Users collected before they are cut down to what is kept. */
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

/** Dimensions as part of a key, as in `route=GET /v1/sessions&status=2xx`. */
export const dimensionKey = (dimensions: Record<string, string>): string =>
  Object.entries(dimensions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${dimensionValue(value)}`)
    .join("&");

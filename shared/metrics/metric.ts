/**
 * The vocabulary of metrics: every kind of metric with its dimensions and measures. The vocabulary is closed, so that the number of series
 * is bounded. Each measure is a series. The first has the kind's name, the others add theirs: `llm.call` is in milliseconds,
 * `llm.call.cost_usd` in dollars.
 */
export const vocabulary = {
  "api.request": { dimensions: ["route", "status", "plan"], measures: ["duration_ms", "sessions", "messages"] },
  "llm.call": {
    dimensions: ["model", "plan"],
    measures: ["duration_ms", "first_token_ms", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd"],
  },
  // Calls to a provider. The built-in embedding has no metric, because it takes less time than writing one.
  "embedding.call": { dimensions: ["model"], measures: ["duration_ms", "input_tokens", "cost_usd"] },
  "search.call": { dimensions: [], measures: ["duration_ms", "results"] },
  // A size that is measured daily. `max` of a window is the size. `sum` has no meaning, because it adds repeated measurements.
  "store.size": { dimensions: ["store"], measures: ["bytes", "items"] },
  "session.end": { dimensions: [], measures: ["length_s", "messages"] },
  "event.feedback": { dimensions: ["event"], measures: ["value"] },
  "event.conversion": { dimensions: ["event"], measures: ["value"] },
  "event.engagement": { dimensions: ["event"], measures: ["value"] },
  "event.content": { dimensions: ["event"], measures: ["value"] },
  "event.custom": { dimensions: ["event"], measures: ["value"] },
} as const satisfies Record<string, { dimensions: readonly string[]; measures: readonly [string, ...string[]] }>;

export type Kind = keyof typeof vocabulary;
export type Measure = (typeof vocabulary)[Kind]["measures"][number];

/** A request, a call or an event that was measured. */
export type Metric = { [K in Kind]: MetricOf<K> }[Kind];

interface MetricOf<K extends Kind> {
  kind: K;
  /** Values longer than 64 characters are cut. */
  dimensions: { [D in (typeof vocabulary)[K]["dimensions"][number]]?: string };
  measures: { [M in (typeof vocabulary)[K]["measures"][number]]?: number };
  /** Error code, such as `internal`; absent = success. */
  error?: string;
  /** The user of the request; stored as a hash. */
  user?: string;
  /** Epoch milliseconds. @default now */
  at?: number;
  /** The same id with the same time is counted once. @default a random id */
  id?: string;
}

/** Parts per unit. Values are stored as whole numbers of parts, so that sums are exact in any order. */
const PRECISION: Record<Measure, number> = {
  duration_ms: 1e3,
  first_token_ms: 1e3,
  input_tokens: 1,
  cached_input_tokens: 1,
  output_tokens: 1,
  cost_usd: 1e9,
  sessions: 1,
  messages: 1,
  results: 1,
  bytes: 1,
  items: 1,
  length_s: 1,
  value: 1e6,
};

/** Converts a value to whole parts of the measure's unit. */
export function toParts(measure: Measure, value: number): number {
  return Math.round(value * PRECISION[measure]);
}

const kinds = Object.keys(vocabulary) as Kind[];

/** The series of users: one value per request that has a user. Only this series counts distinct users. */
export const USERS = "api.users";

export function seriesOf(kind: Kind, measure: string): string {
  return measure === vocabulary[kind].measures[0] ? kind : `${kind}.${measure}`;
}

/** The series of a kind. */
export function seriesOfKind(kind: Kind): string[] {
  return [
    ...vocabulary[kind].measures.map((measure) => seriesOf(kind, measure)),
    ...(kind === "api.request" ? [USERS] : []),
  ];
}

/** The measure of each series. */
const measures = new Map<string, Measure>([
  ...kinds.flatMap((kind) =>
    vocabulary[kind].measures.map((measure): [string, Measure] => [seriesOf(kind, measure), measure]),
  ),
  // Counted in whole numbers, like sessions.
  [USERS, "sessions"],
]);

/** The names of all series. */
export const seriesNames: readonly string[] = [...measures.keys()];

/** Converts parts to the unit of the series. */
export function inUnit(series: string, parts: number): number {
  return parts / PRECISION[measures.get(series) ?? "value"];
}

/** Maximum characters of a dimension's value. Longer values are cut. */
const MAX_VALUE = 64;

/** Cuts a dimension's value, and replaces the characters that separate values in a key. */
export function dimensionValue(value: string): string {
  return value.slice(0, MAX_VALUE).replaceAll(/[#=&\p{C}]/gu, "_");
}

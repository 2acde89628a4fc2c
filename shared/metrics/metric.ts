/**
 * The vocabulary of metrics: every kind of thing that is measured, by which dimensions and with which measures. It is
 * closed, so that the number of series is bounded before a single value is written. A kind's first measure gives its
 * series the kind's own name, the others add theirs: `llm.call` is milliseconds, `llm.call.cost_usd` dollars.
 */
export const vocabulary = {
  "api.request": { dimensions: ["route", "status", "plan"], measures: ["duration_ms", "sessions", "messages"] },
  "llm.call": {
    dimensions: ["model", "plan"],
    measures: ["duration_ms", "first_token_ms", "input_tokens", "output_tokens", "cost_usd"],
  },
  // Calls to a provider: the built-in embedding is no call, but a computation that takes less than its metric would.
  "embedding.call": { dimensions: ["model"], measures: ["duration_ms", "input_tokens", "cost_usd"] },
  "search.call": { dimensions: [], measures: ["duration_ms", "results"] },
  "session.end": { dimensions: [], measures: ["length_s", "messages"] },
  "event.feedback": { dimensions: ["event"], measures: ["value"] },
  "event.conversion": { dimensions: ["event"], measures: ["value"] },
  "event.engagement": { dimensions: ["event"], measures: ["value"] },
  "event.content": { dimensions: ["event"], measures: ["value"] },
  "event.custom": { dimensions: ["event"], measures: ["value"] },
} as const satisfies Record<string, { dimensions: readonly string[]; measures: readonly [string, ...string[]] }>;

export type Kind = keyof typeof vocabulary;
export type Measure = (typeof vocabulary)[Kind]["measures"][number];

/** One thing that happened: a request, a call, an event. */
export type Metric = { [K in Kind]: MetricOf<K> }[Kind];

interface MetricOf<K extends Kind> {
  kind: K;
  /** Values have 64 characters at most; longer ones are cut. */
  dimensions: { [D in (typeof vocabulary)[K]["dimensions"][number]]?: string };
  measures: { [M in (typeof vocabulary)[K]["measures"][number]]?: number };
  /** Code of what it failed with, such as `internal`; absent = it succeeded. */
  error?: string;
  /** On whose behalf; stored as a hash. */
  user?: string;
  /** Epoch milliseconds. @default now */
  at?: number;
  /** Tells it from others: the same id at the same time is counted once. @default a random one */
  id?: string;
}

/** Parts of each measure's unit that are stored, so that sums are whole numbers and exact in whatever order. */
const PRECISION: Record<Measure, number> = {
  duration_ms: 1e3,
  first_token_ms: 1e3,
  input_tokens: 1,
  output_tokens: 1,
  cost_usd: 1e9,
  sessions: 1,
  messages: 1,
  results: 1,
  length_s: 1,
  value: 1e6,
};

/** Whole parts of the measure's unit. */
export const toParts = (measure: Measure, value: number): number => Math.round(value * PRECISION[measure]);

const kinds = Object.keys(vocabulary) as Kind[];

/** One per request that has a user; the only series that also knows how many different users there were. */
export const USERS = "api.users";

export const seriesOf = (kind: Kind, measure: string): string =>
  measure === vocabulary[kind].measures[0] ? kind : `${kind}.${measure}`;

/** Every series that metrics of a kind have values for. */
export const seriesOfKind = (kind: Kind): string[] => [
  ...vocabulary[kind].measures.map((measure) => seriesOf(kind, measure)),
  ...(kind === "api.request" ? [USERS] : []),
];

/** The measure behind every name that aggregates have. */
const measures = new Map<string, Measure>([
  ...kinds.flatMap((kind) =>
    vocabulary[kind].measures.map((measure): [string, Measure] => [seriesOf(kind, measure), measure]),
  ),
  // A count, as sessions are.
  [USERS, "sessions"],
]);

/** Every name that aggregates have. */
export const seriesNames: readonly string[] = [...measures.keys()];

/** A value of this series in its unit. */
export const inUnit = (series: string, parts: number): number => parts / PRECISION[measures.get(series) ?? "value"];

/** Characters of a dimension's value. */
const MAX_VALUE = 64;

/** A dimension's value as it is kept: short, and free of what separates values in a key. */
export const dimensionValue = (value: string): string => value.slice(0, MAX_VALUE).replaceAll(/[#=&\p{C}]/gu, "_");

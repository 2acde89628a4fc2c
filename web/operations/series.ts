import type { AnswerOf, Api } from "../api.ts";

export type Row = AnswerOf<"GET /v1/metrics">["data"][number];

/** The ranges that a person can choose, with the windows that they are shown in. */
export const ranges = {
  "24h": { hours: 24, granularity: "hour" },
  "7d": { hours: 7 * 24, granularity: "hour" },
  "30d": { hours: 30 * 24, granularity: "day" },
  "90d": { hours: 90 * 24, granularity: "day" },
} as const;

export type RangeName = keyof typeof ranges;

/** Values of one line or one part of bars, by window. */
export interface Series {
  name: string;
  values: (number | null)[];
}

export interface Span {
  /** Epoch milliseconds at which each window begins. */
  starts: number[];
  granularity: "hour" | "day";
  from: string;
  to: string;
}

const HOUR = 3_600_000;

/** The windows of a range that ends now. The windows of the API begin at full hours and days of UTC. */
export function spanOf(name: RangeName, now: number): Span {
  const { hours, granularity } = ranges[name];
  const length = granularity === "hour" ? HOUR : 24 * HOUR;
  const last = Math.floor(now / length) * length;
  const count = (hours * HOUR) / length;
  const starts = Array.from({ length: count }, (_, n) => last - (count - 1 - n) * length);
  return { starts, granularity, from: new Date(starts[0] ?? last).toISOString(), to: new Date(now).toISOString() };
}

type By = "none" | "status" | "model" | "route" | "store";

/** Reads one series of a span. */
export async function readSeries(
  api: Api,
  { granularity, from, to }: Omit<Span, "starts">,
  name: string,
  by: By,
  route?: string,
): Promise<Row[]> {
  const isOfRequests = name.startsWith("api.request");
  const query = { name, granularity, from, to, by, ...(route !== undefined && isOfRequests && { route }) };
  return (await api.call("GET /v1/metrics", { query })).data;
}

/** One value per window; `otherwise` where there is no row. */
export function valuesOf<T extends number | null>(
  span: Span,
  rows: readonly Row[],
  pick: (row: Row) => number,
  otherwise: T,
): (number | T)[] {
  const found = new Map(rows.map((row) => [Date.parse(row.start), pick(row)]));
  return span.starts.map((start) => found.get(start) ?? otherwise);
}

/** A series per value of a dimension, the largest first. */
export function groupBy(span: Span, rows: readonly Row[], dimension: string, pick: (row: Row) => number): Series[] {
  const groups = Map.groupBy(rows, ({ dimensions }) => dimensions[dimension] ?? "");
  return [...groups]
    .map(([name, group]) => ({ name, values: valuesOf(span, group, pick, 0) }))
    .sort((a, b) => total(b.values) - total(a.values));
}

const total = (values: readonly (number | null)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0);

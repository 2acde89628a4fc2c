import type { Api } from "../api.ts";
import { groupBy, type RangeName, type Row, readSeries, type Series, type Span, spanOf, valuesOf } from "./series.ts";

/** One of the numbers at the top. */
export interface Headline {
  id: "requests" | "errors" | "p95" | "firstToken" | "cost";
  /** The value of the last 24 hours; null = there was none. */
  now: number | null;
  /** The value of the previous 24 hours. */
  before: number | null;
  /** The values by hour, for the sparkline. */
  values: number[];
}

export interface Dashboard {
  span: Span;
  headlines: Headline[];
  requests: Series[];
  latency: Series[];
  firstToken: Series[];
  tokens: Series[];
  cost: Series[];
  sessions: Series[];
  users: Series[];
  /** Routes that were called in the span, for the filter. */
  routes: string[];
}

const DAY = 86_400_000;

/** Reads everything that the view of operations shows of a range and a route. */
export async function readDashboard(api: Api, range: RangeName, route: string | undefined): Promise<Dashboard> {
  const now = Date.now();
  const span = spanOf(range, now);
  const read = (name: string, by: Parameters<typeof readSeries>[3], only = route) =>
    readSeries(api, span, name, by, only);
  const [headlines, all, byStatus, byRoute, firstToken, input, output, cost, created, ended, users] = await Promise.all(
    [
      readHeadlines(api, now),
      read("api.request", "none"),
      read("api.request", "status"),
      read("api.request", "route", undefined),
      read("llm.call.first_token_ms", "none"),
      read("llm.call.input_tokens", "model"),
      read("llm.call.output_tokens", "model"),
      read("llm.call.cost_usd", "model"),
      read("api.request.sessions", "none", undefined),
      read("session.end", "none"),
      read("api.users", "none"),
    ],
  );
  const restored = byRoute.filter(({ dimensions }) => dimensions.route?.endsWith("/restore"));
  const quantiles = (rows: Row[]): Series[] =>
    (["p50", "p95", "p99"] as const).map((name) => ({ name, values: valuesOf(span, rows, (row) => row[name], null) }));
  const byModel = (rows: Row[]) => groupBy(span, rows, "model", ({ sum }) => sum);
  const named = (series: Series[], suffix: string) => series.map((one) => ({ ...one, name: `${one.name} ${suffix}` }));
  return {
    span,
    headlines,
    requests: groupBy(span, byStatus, "status", ({ count }) => count),
    latency: quantiles(all),
    firstToken: quantiles(firstToken),
    tokens: [...named(byModel(input), "in"), ...named(byModel(output), "out")],
    cost: byModel(cost),
    sessions: [
      { name: "created", values: valuesOf(span, created, ({ sum }) => sum, 0) },
      { name: "archived", values: valuesOf(span, ended, ({ count }) => count, 0) },
      { name: "restored", values: valuesOf(span, restored, ({ count }) => count, 0) },
    ],
    users: [{ name: "users", values: valuesOf(span, users, ({ distinct, count }) => distinct ?? count, 0) }],
    routes: [...new Set(byRoute.map(({ dimensions }) => dimensions.route ?? ""))].filter(Boolean).sort(),
  };
}

/** The numbers of the last 24 hours and of the 24 hours before. The range does not change them. */
async function readHeadlines(api: Api, now: number): Promise<Headline[]> {
  const from = new Date(now - 2 * DAY).toISOString();
  const span = { granularity: "hour", from, to: new Date(now).toISOString() } as const;
  const days = (name: string) => readSeries(api, span, name, "none");
  const [requests, firstToken, cost] = await Promise.all([
    days("api.request"),
    days("llm.call.first_token_ms"),
    days("llm.call.cost_usd"),
  ]);
  const since = now - DAY;
  const headline = (
    id: Headline["id"],
    rows: Row[],
    of: (rows: Row[]) => number | null,
    each: (row: Row) => number,
  ) => {
    const last = rows.filter(({ start }) => Date.parse(start) >= since);
    const first = rows.filter(({ start }) => Date.parse(start) < since);
    return { id, now: of(last), before: of(first), values: last.map(each) };
  };
  const sum = (rows: Row[], of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const count = (rows: Row[]) => sum(rows, (row) => row.count);
  const mean = (rows: Row[], of: (row: Row) => number) => (count(rows) === 0 ? null : sum(rows, of) / count(rows));
  const share = (rows: Row[]) => mean(rows, (row) => row.errors);
  // The quantiles of hours do not give that of the day. Use their mean, weighted by requests, which is close to it.
  const p95 = (rows: Row[]) => mean(rows, (row) => row.p95 * row.count);
  const dollars = (rows: Row[]) => sum(rows, (row) => row.sum);
  return [
    headline("requests", requests, count, (row) => row.count),
    headline("errors", requests, share, (row) => row.errors / Math.max(1, row.count)),
    headline("p95", requests, p95, (row) => row.p95),
    headline("firstToken", firstToken, p95, (row) => row.p95),
    headline("cost", cost, dollars, (row) => row.sum),
  ];
}

import { type Clock, toInstant } from "../clock.ts";
import { AppError, invalidInput } from "../errors.ts";
import { type Aggregate, createAccumulator } from "../metrics/aggregate.ts";
import { countCommon, countDistinct } from "../metrics/distinct.ts";
import { inUnit, USERS } from "../metrics/metric.ts";
import type { MetricStore, Windowed } from "../metrics/metric-store.ts";
import { readAggregates } from "../metrics/query-metrics.ts";
import { quantiles } from "../metrics/sketch.ts";
import { endOf, isWindow, shift, startOf, windowOf } from "../metrics/window.ts";
import type { Figures, Report } from "./report.ts";

interface Ports {
  store: MetricStore;
  clock: Clock;
}

/** Builds the business report of a month (as in 2026-10) from its aggregates, also before the month has ended. Throws like `checkMonth`. */
export async function buildReport(ports: Ports, month: string): Promise<Report> {
  checkMonth(ports, month);
  const [current, previous, before, daily] = await Promise.all([
    readMonth(ports, month),
    readMonth(ports, shift("month", month, -1)),
    readMonth(ports, shift("month", month, -2)),
    read(ports, "day", month),
  ]);
  const now = toInstant(ports.clock());
  return {
    month,
    created_at: now,
    complete: endOf("month", month) <= now,
    figures: figuresOf(current, previous),
    previous: previous.length > 0 ? figuresOf(previous, before) : null,
    days: daysOf(daily),
    routes: routesOf(current),
  };
}

/** Throws `validation_failed` for a text that is not a month such as 2026-10, and `not_found` for a month in the future. */
export function checkMonth({ clock }: Pick<Ports, "clock">, month: string): void {
  if (!isWindow("month", month)) {
    const message = `must be a month such as 2026-10, not ${JSON.stringify(month)}`;
    throw invalidInput({ path: "month", message });
  }
  if (month > windowOf("month", toInstant(clock())))
    throw new AppError("not_found", `the month ${month} is in the future`);
}

const readMonth = (ports: Ports, month: string) => read(ports, "month", month);

const read = (ports: Ports, granularity: "day" | "month", month: string): Promise<Windowed[]> =>
  readAggregates(ports, { granularity, from: startOf(month), to: endOf("month", month) });

function figuresOf(rows: readonly Windowed[], before: readonly Windowed[]): Figures {
  const total = (series: string, only: (row: Aggregate) => boolean = () => true) => totalOf(rows, series, only);
  const requests = total("api.request");
  const failed = total("api.request", ({ dimensions }) => dimensions.status === "5xx");
  const llm = total("llm.call");
  const feedback = total("event.feedback");
  const conversions = total("event.conversion");
  const cost = total("llm.call.cost_usd").sum + total("embedding.call.cost_usd").sum;
  const { users = [], distinct } = usersOf(rows);
  const { users: former = [] } = usersOf(before);
  return {
    sessions: total("api.request.sessions").sum,
    active_users: distinct ?? countDistinct(users),
    return_rate: share(countCommon(users, former), countDistinct(former)),
    messages: total("api.request.messages").sum,
    median_session_seconds: total("session.end").quantile(0.5),
    feedback: feedback.count,
    satisfaction: share(feedback.positive, feedback.count),
    conversions: conversions.count,
    conversion_value: conversions.sum,
    engagements: total("event.engagement").count,
    input_tokens: total("llm.call.input_tokens").sum + total("embedding.call.input_tokens").sum,
    output_tokens: total("llm.call.output_tokens").sum,
    cost_usd: cost,
    return_on_cost: share(conversions.sum, cost),
    requests: requests.count,
    error_rate: share(failed.count, requests.count),
    latency_p50_ms: requests.quantile(0.5),
    latency_p95_ms: requests.quantile(0.95),
    latency_p99_ms: requests.quantile(0.99),
    llm_calls: llm.count,
    llm_error_rate: share(llm.errors, llm.count),
    llm_p95_ms: llm.quantile(0.95),
    first_token_p95_ms: total("llm.call.first_token_ms").quantile(0.95),
  };
}

function daysOf(rows: readonly Windowed[]): Report["days"] {
  return [...Map.groupBy(rows, ({ window }) => window)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, ofDay]) => {
      const { requests, error_rate, ...figures } = figuresOf(ofDay, []);
      const { active_users, messages, conversions, conversion_value, cost_usd, latency_p95_ms } = figures;
      const errors = Math.round((error_rate ?? 0) * requests);
      return { day, requests, errors, active_users, messages, conversions, conversion_value, cost_usd, latency_p95_ms };
    });
}

function routesOf(rows: readonly Windowed[]): Report["routes"] {
  const byRoute = Map.groupBy(
    rows.filter(({ series }) => series === "api.request"),
    ({ dimensions }) => dimensions.route ?? "",
  );
  return [...byRoute]
    .map(([route, ofRoute]) => {
      const all = totalOf(ofRoute, "api.request");
      const failed = totalOf(ofRoute, "api.request", ({ dimensions }) => dimensions.status === "5xx");
      const [p50_ms, p95_ms, p99_ms] = [0.5, 0.95, 0.99].map((q) => all.quantile(q) ?? 0) as [number, number, number];
      return { route, requests: all.count, errors: failed.count, p50_ms, p95_ms, p99_ms };
    })
    .sort((a, b) => b.requests - a.requests);
}

/** Aggregates a series over all its dimensions, in the measure's unit. */
function totalOf(rows: readonly Aggregate[], series: string, only: (row: Aggregate) => boolean = () => true) {
  const accumulator = createAccumulator();
  for (const row of rows) if (row.series === series && only(row)) accumulator.merge({ ...row, dimensions: {} });
  const [all] = accumulator.result();
  const bins = [...(all?.sketch ?? [])];
  return {
    count: all?.count ?? 0,
    errors: all?.errors ?? 0,
    sum: inUnit(series, all?.sum ?? 0),
    /** Values above 0. */
    positive: bins.reduce((sum, [bin, count]) => (bin > 0 ? sum + count : sum), 0),
    quantile(q: number): number | null {
      const [parts] = all ? quantiles(all.sketch, [q], all.min, all.max) : [];
      return parts === undefined || parts === null ? null : inUnit(series, Math.round(parts));
    },
  };
}

const usersOf = (rows: readonly Aggregate[]): Partial<Aggregate> => rows.find(({ series }) => series === USERS) ?? {};

const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

import { type Clock, toInstant } from "../clock.ts";
import type { JobBook } from "./job-book.ts";
import type { MetricStore } from "./metric-store.ts";
import { queryMetrics } from "./query-metrics.ts";
import type { Trouble } from "./trouble.ts";

/** Milliseconds after which a due session is overdue. The reconciler runs every 15 minutes. */
const DUE_FOR = 2 * 3_600_000;

/** Maximum number of overdue sessions that are counted. */
const MAX_OVERDUE = 1000;

const LAKE = "jobs-lake";

/** The state of the system. The job logs it every few minutes, and the dashboard draws it. */
interface Gauges {
  /** Sessions that were not archived or cleaned up in time. */
  sessions_overdue: number;
  /** Jobs whose last success is too long ago. */
  jobs_late: string[];
  /** Seconds since the lake was last built; `null` = never. */
  lake_age_s: number | null;
  /** Dollars spent on models in this month, up to the last full hour. */
  cost_usd: number;
  budget_usd: number;
  active_sessions: number;
  /** In the last full hour. */
  llm_calls: number;
  llm_errors: number;
  llm_p95_ms: number;
}

/** The sessions that `watch` counts. */
interface WatchedSessions {
  /** Yields the sessions that were due before an instant (ISO 8601), page by page. */
  due(by: string): AsyncIterable<readonly unknown[]>;
  /** Counts the active sessions. */
  countActive(): Promise<number>;
}

export interface WatchDependencies {
  store: MetricStore;
  book: Pick<JobBook, "all">;
  sessions: WatchedSessions;
  clock: Clock;
  /** Dollars per month. */
  budget: number;
}

/** Checks everything that can fail without an error. It reads only aggregates, so its cost does not grow with traffic. */
export async function watch(deps: WatchDependencies): Promise<{ gauges: Gauges; troubles: [Trouble, number][] }> {
  const { book, sessions, clock, budget } = deps;
  const now = clock();
  const [jobs, overdue, active, cost, calls] = await Promise.all([
    book.all(),
    countOverdue(sessions, now),
    sessions.countActive(),
    costOfMonth(deps),
    lastHour(deps),
  ]);
  const lake = jobs.find(({ name }) => name === LAKE);
  const late = jobs.filter(({ isLate, name }) => isLate && name !== LAKE).map(({ name }) => name);
  const gauges: Gauges = {
    sessions_overdue: overdue,
    jobs_late: late,
    lake_age_s: lake?.succeededAt ? Math.round((now - lake.succeededAt) / 1000) : null,
    cost_usd: cost,
    budget_usd: budget,
    active_sessions: active,
    ...calls,
  };
  const troubles: [Trouble, number][] = [
    ["ArchiveBehind", overdue],
    ["JobsLate", late.length],
    ["LakeStale", lake?.isLate ? 1 : 0],
    ["CostAboveBudget", cost > budget ? cost : 0],
  ];
  return { gauges, troubles: troubles.filter(([, value]) => value > 0) };
}

async function countOverdue(sessions: WatchedSessions, now: number): Promise<number> {
  let count = 0;
  for await (const page of sessions.due(toInstant(now - DUE_FOR))) {
    count += page.length;
    if (count >= MAX_OVERDUE) break;
  }
  return count;
}

async function costOfMonth(deps: WatchDependencies): Promise<number> {
  const now = toInstant(deps.clock());
  const query = { granularity: "month", from: `${now.slice(0, 7)}-01T00:00:00.000Z`, to: now } as const;
  const names = ["llm.call.cost_usd", "embedding.call.cost_usd"];
  const rows = await Promise.all(names.map((name) => queryMetrics(deps, { ...query, name, foldedOnly: true })));
  return rows.flat().reduce((total, { sum }) => total + sum, 0);
}

async function lastHour(deps: WatchDependencies): Promise<Pick<Gauges, "llm_calls" | "llm_errors" | "llm_p95_ms">> {
  const through = (await deps.store.checkpoint("hour"))?.through;
  if (through === undefined) return { llm_calls: 0, llm_errors: 0, llm_p95_ms: 0 };
  const from = `${through}:00:00.000Z`;
  const to = toInstant(deps.clock());
  const query = { name: "llm.call", granularity: "hour", from, to, foldedOnly: true } as const;
  const rows = await queryMetrics(deps, query);
  return {
    llm_calls: rows.reduce((total, { count }) => total + count, 0),
    llm_errors: rows.reduce((total, { errors }) => total + errors, 0),
    llm_p95_ms: Math.max(0, ...rows.map(({ p95 }) => p95)),
  };
}

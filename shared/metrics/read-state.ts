import { type Clock, toInstant } from "../clock.ts";
import type { DeadLetters } from "./dead-letters.aws.ts";
import type { JobBook } from "./job-book.ts";

/** Maximum number of due sessions that are counted. */
const MAX_DUE = 1000;

interface DueSessions {
  /** Yields the sessions that are due before an instant (ISO 8601), page by page. */
  due(by: string): AsyncIterable<readonly { due_at: string }[]>;
  /** Counts the active sessions. */
  countActive(): Promise<number>;
}

interface Circuits {
  /** Returns a provider's consecutive outages, and the epoch milliseconds at which its circuit was opened; `null` = closed. */
  breaker(provider: string): Promise<{ failures: number; openedAt: number | null }>;
}

export interface StatePorts {
  book: Pick<JobBook, "all">;
  sessions: DueSessions;
  /** The days that the lake must build at `now` (epoch ms). */
  changes: { due(now: number): Promise<readonly { day: string }[]> };
  store: Circuits;
  /** The names of the configured providers of models. */
  providers: readonly string[];
  deadLetters(): Promise<DeadLetters>;
  clock: Clock;
}

/** Reads the current state of jobs, of providers' circuits, and of all waiting work. Its cost does not grow with traffic. */
export async function readState(ports: StatePorts) {
  const now = ports.clock();
  const [active_sessions, jobs, due, days, providers, letters] = await Promise.all([
    ports.sessions.countActive(),
    ports.book.all(),
    dueSessions(ports.sessions, now),
    ports.changes.due(now),
    Promise.all(ports.providers.map((provider) => readProvider(ports.store, provider))),
    ports.deadLetters(),
  ]);
  const [oldestDay = null] = days.map(({ day }) => `${day}T00:00:00.000Z`).sort();
  return {
    active_sessions,
    jobs: jobs.map(({ name, succeededAt, isLate }) => ({ name, succeeded_at: instant(succeededAt), late: isLate })),
    providers,
    waiting: {
      dead_letters: { count: letters.count, oldest_at: instant(letters.oldest) },
      sessions: due,
      lake_days: { count: days.length, oldest_at: oldestDay },
    },
  };
}

async function dueSessions(sessions: DueSessions, now: number) {
  const found = { count: 0, oldest_at: null as string | null };
  for await (const page of sessions.due(toInstant(now))) {
    for (const { due_at } of page) {
      if (found.oldest_at === null || due_at < found.oldest_at) found.oldest_at = due_at;
    }
    found.count += page.length;
    if (found.count >= MAX_DUE) break;
  }
  return found;
}

async function readProvider(store: Circuits, name: string) {
  const { failures, openedAt } = await store.breaker(name);
  const circuit: "open" | "closed" = openedAt === null ? "closed" : "open";
  return { name, circuit, failures, opened_at: instant(openedAt) };
}

const instant = (time: number | null): string | null => (time === null ? null : toInstant(time));

import type { Clock } from "../clock.ts";
import type { Table } from "../dynamodb/table.ts";
import { jobKey } from "./metric-keys.ts";

const HOUR = 3_600_000;

/**
 * Milliseconds after its last success after which a scheduled job is late. They are more than its interval and its longest run together,
 * because a run records its success at its end. Lambda repeats a failed run.
 */
export const allowedSilence = {
  "jobs-reconcile": HOUR,
  "jobs-fold-hourly": 2.25 * HOUR,
  "jobs-fold-daily": 26 * HOUR,
  "jobs-fold-monthly": 26 * HOUR,
  "jobs-export": 26 * HOUR,
  "jobs-report": 26 * HOUR,
  "jobs-lake": 3 * HOUR,
  "jobs-measure": 26 * HOUR,
  "jobs-erase": HOUR,
  "jobs-housekeeping": 15 * 24 * HOUR,
} as const;

export type JobName = keyof typeof allowedSilence;

/** The state of a scheduled job. */
interface JobState {
  name: JobName;
  /** Epoch milliseconds; `null` = never. */
  succeededAt: number | null;
  isLate: boolean;
}

/** Records when each scheduled job last succeeded, in one item per job. */
export interface JobBook {
  /** Records a success at the current time. */
  succeeded(name: JobName): Promise<void>;
  /** Returns the state of all jobs. The first call sets the time from which jobs are expected to run. */
  all(): Promise<JobState[]>;
}

/** Name of the item with the time since which jobs are watched. */
const WATCH = "jobs-watch";

export function createJobBook(table: Pick<Table, "query" | "update">, clock: Clock): JobBook {
  return {
    async succeeded(name) {
      await table.update({
        Key: jobKey(name),
        UpdateExpression: "SET succeeded_at = :now",
        ExpressionAttributeValues: { ":now": clock() },
      });
    },

    async all() {
      const { pk } = jobKey("");
      const { items } = await table.query({
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": pk },
      });
      const times = new Map(items.map((item) => [String(item.sk), Number(item.succeeded_at ?? item.watched_from)]));
      const watchedFrom = times.get(WATCH) ?? (await begin(table, clock()));
      return (Object.keys(allowedSilence) as JobName[]).map((name) => {
        const succeededAt = times.get(name) ?? null;
        return { name, succeededAt, isLate: clock() - (succeededAt ?? watchedFrom) > allowedSilence[name] };
      });
    },
  };
}

async function begin(table: Pick<Table, "update">, now: number): Promise<number> {
  await table.update({
    Key: jobKey(WATCH),
    UpdateExpression: "SET watched_from = if_not_exists(watched_from, :now)",
    ExpressionAttributeValues: { ":now": now },
  });
  return now;
}

import { type BuildPorts, buildDay } from "./build-day.ts";
import type { ChangedDays } from "./lake.ts";

interface LakeRun {
  /** Days that were looked at. */
  days: number;
  /** Partitions written or removed. */
  partitions: number;
  /** Rows written. */
  rows: number;
  failed: number;
  /** False when the time was up first. */
  complete: boolean;
}

/**
 * Brings the partitions of all changed days up to date, the oldest first. Stops before a day when `deadline` (epoch ms) has
 * passed. Nothing is lost with a run that fails anywhere: a day's mark goes only once its partitions are there.
 */
export async function buildLake(
  ports: BuildPorts & { changes: ChangedDays; clock: () => number },
  deadline: number,
  report: (day: string, error: unknown) => void,
): Promise<LakeRun> {
  const { changes, clock } = ports;
  const run: LakeRun = { days: 0, partitions: 0, rows: 0, failed: 0, complete: true };
  for (const changed of await changes.due(clock())) {
    if (clock() > deadline) return { ...run, complete: false };
    run.days++;
    try {
      const built = await buildDay(ports, changed, clock());
      await changes.settle(changed, built.expires);
      run.partitions += built.changed.length;
      run.rows += built.rows.messages + built.rows.session_summaries;
    } catch (error) {
      run.failed++;
      report(changed.day, error);
    }
  }
  return run;
}

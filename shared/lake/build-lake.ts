import { retention } from "../retention/policy.ts";
import { type BuildPorts, buildDay } from "./build-day.ts";
import type { ChangedDays } from "./lake.ts";

interface LakeRun {
  /** Days that were checked. */
  days: number;
  /** Partitions written or removed. */
  partitions: number;
  /** Rows written. */
  rows: number;
  /** Days that could not be built. */
  failed: number;
  /** False when time ran out. */
  complete: boolean;
}

/**
 * Builds the partitions of all changed days, the oldest first. If the setting for content or for the age of messages has changed, it builds
 * the messages of all days again. Begins no day after `deadline` (epoch ms). It removes a day's mark only after the day's partitions are
 * stored, so the next run builds the other days.
 */
export async function buildLake(
  ports: BuildPorts & { changes: ChangedDays; clock: () => number },
  deadline: number,
  report: (day: string, error: unknown) => void,
): Promise<LakeRun> {
  const { archived, changes, clock, settings } = ports;
  const run: LakeRun = { days: 0, partitions: 0, rows: 0, failed: 0, complete: true };
  // The marks contain the time at which messages expire, so a change of their age needs new marks.
  const basis = `${settings.content} for ${retention.lakeMessages.seconds} s`;
  if ((await changes.findBasis()) !== basis) {
    await changes.markMessages(await archived.days());
    await changes.setBasis(basis);
  }
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

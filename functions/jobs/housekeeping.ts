import { createArchivedDays } from "../../shared/archive/archived-days.s3.ts";
import { auditArchive } from "../../shared/archive/audit-archive.ts";
import { counted } from "../../shared/counted.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { holdEvents } from "../../shared/events/hold-events.ts";
import { log } from "../../shared/log.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import { clock, lazyHandler, openMetricsTable, openTable } from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Milliseconds at the end of a run in which it checks nothing more. */
const MARGIN = 30_000;

type Dependencies = Parameters<typeof holdEvents>[0] & Parameters<typeof auditArchive>[0];

/**
 * Weekly schedule: does the work that TTL and lifecycle rules cannot do. It delays the expiry of events that are not in the lake yet, and
 * fails when the archive has objects of sessions that are not in the table.
 */
export function createHousekeepingJob(deps: Dependencies) {
  return async (_event: unknown, context: Running): Promise<void> => {
    const deadline = deadlineOf(deps.clock, context, MARGIN);
    const job = "housekeeping";
    const held = await holdEvents(deps);
    const audit = await auditArchive(deps, deadline, ({ session: { user, id }, day }) =>
      log("error", { job, user, session: id, day, message: "an archive object belongs to no session" }),
    );
    log("info", { job, events_held: held, ...audit });
    if (audit.orphans > 0)
      throw new Error(`the table knows no session for ${counted(audit.orphans, "archive object")}`);
    if (!audit.complete) throw new Error(`time ran out after ${counted(audit.objects, "archive object")}`);
  };
}

export const handler = lazyHandler((config) => {
  const metrics = openMetricsTable(config);
  return recordSuccess(
    "jobs-housekeeping",
    openJobBook(config),
    createHousekeepingJob({
      events: createEventStore(metrics),
      store: createMetricStore(metrics),
      archived: createArchivedDays(createS3(), config.ARCHIVE_BUCKET),
      sessions: createSessionStore(openTable(config)),
      clock,
    }),
  );
});

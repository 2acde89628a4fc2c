import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import { toInstant } from "../../shared/clock.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { type ExportPorts, exportDay } from "../../shared/lake/export-day.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import { log } from "../../shared/log.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { shift, windowsBetween } from "../../shared/metrics/window.ts";
import { retention } from "../../shared/retention/policy.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import { clock, lazyHandler, openAuditTable, openFindErasures, openMetricsTable, openPseudonyms } from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Number of days before the newest one that are exported again, because aggregates may be folded late. */
const AGAIN = 2;

/** Number of days before the newest one that the first run exports, because it may run long after the deployment. */
const FIRST_RUN = 30;

/** Milliseconds at the end of a run in which it begins no day. */
const MARGIN = 120_000;

interface Dependencies {
  open(): Promise<ExportPorts>;
  clock: () => number;
}

/**
 * Schedule: exports the ended days since the checkpoint to the lake. Operators can invoke it with an earlier day. Returns false if the
 * deadline came first.
 */
export function createExportJob(deps: Dependencies) {
  return async (event: { from?: string }, context: Running): Promise<boolean> => {
    const deadline = deadlineOf(deps.clock, context, MARGIN);
    const ports = await deps.open();
    const through = (await ports.store.checkpoint("export"))?.through;
    for (const day of daysOf(deps.clock(), through, event.from)) {
      if (deps.clock() > deadline) return false;
      const rows = await exportDay(ports, day);
      log("info", { job: "export", day, ...rows });
      await ports.store.advance("export", day);
    }
    return true;
  };
}

/** Returns the days to export, without gaps. A day is not exported again if some of its events may have expired. */
function daysOf(now: number, through: string | undefined, from: string | undefined): string[] {
  const yesterday = shift("day", toInstant(now).slice(0, 10), -1);
  const usual =
    through === undefined
      ? shift("day", yesterday, -FIRST_RUN)
      : shift("day", through < yesterday ? through : yesterday, -AGAIN);
  const whole = shift("day", toInstant(now - retention.event.seconds * 1000).slice(0, 10), 1);
  return windowsBetween("day", from !== undefined && from < usual ? from : usual, yesterday).filter(
    (day) => day >= whole || through === undefined || day > through,
  );
}

export const handler = lazyHandler((config) => {
  const table = openMetricsTable(config);
  const lake = createLake(createS3(), config.ARCHIVE_BUCKET);
  const pseudonyms = openPseudonyms(config);
  const open = async () => ({
    lake,
    events: createEventStore(table),
    audit: createAuditStore(openAuditTable(config)),
    store: createMetricStore(table),
    pseudonym: await pseudonyms(),
    findErasures: openFindErasures(config),
    content: config.LAKE_CONTENT,
  });
  const job = createExportJob({ open, clock });
  return recordSuccess("jobs-export", openJobBook(config), job);
});

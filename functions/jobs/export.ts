import type { Context } from "aws-lambda";
import { toInstant } from "../../shared/clock.ts";
import { loadConfig } from "../../shared/config.ts";
import { createEventStore } from "../../shared/events/store.dynamodb.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { type ExportPorts, exportDay } from "../../shared/lake/export-day.ts";
import { readLakeKey } from "../../shared/lake/key.aws.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../shared/lake/pseudonym.ts";
import { createJobBook, type JobBook } from "../../shared/metrics/job-book.ts";
import { createMetricStore } from "../../shared/metrics/store.dynamodb.ts";
import { shift, windowsBetween } from "../../shared/metrics/window.ts";
import { createS3 } from "../../shared/s3/client.ts";
import { openMetricsTable } from "../dependencies/table.ts";

/** Days before the newest that are looked at once more, for what was folded late. */
const AGAIN = 2;

/** Milliseconds that a run leaves unused, for the day that it is at. */
const MARGIN = 120_000;

export interface Dependencies {
  open(): Promise<ExportPorts>;
  book: Pick<JobBook, "succeeded">;
  clock: () => number;
}

/** Schedule: exports the days that are over into the lake, from where it left off. An operator may name the first day. */
export const createExportJob =
  (deps: Dependencies) =>
  async (event: { from?: string }, context: Pick<Context, "getRemainingTimeInMillis">): Promise<void> => {
    const deadline = deps.clock() + context.getRemainingTimeInMillis() - MARGIN;
    const ports = await deps.open();
    const yesterday = shift("day", toInstant(deps.clock()).slice(0, 10), -1);
    const through = (await ports.store.checkpoint("export"))?.through;
    const last = through !== undefined && through < yesterday ? through : yesterday;
    for (const day of windowsBetween("day", event.from ?? shift("day", last, -AGAIN), yesterday)) {
      if (deps.clock() > deadline) return;
      const rows = await exportDay(ports, day);
      console.log(JSON.stringify({ level: "info", job: "export", day, ...rows }));
      await ports.store.advance("export", day);
    }
    await deps.book.succeeded("jobs-export");
  };

export const handler = lazy(() => {
  const settings = loadConfig();
  const table = openMetricsTable(settings);
  let ports: ExportPorts | undefined;
  return createExportJob({
    async open() {
      ports ??= {
        lake: createLake(createS3(), settings.ARCHIVE_BUCKET),
        events: createEventStore(table),
        store: createMetricStore(table),
        pseudonym: createPseudonyms(await readLakeKey(settings.LAKE_KEY_SECRET)),
        content: settings.LAKE_CONTENT,
      };
      return ports;
    },
    book: createJobBook(table, Date.now),
    clock: Date.now,
  });
});

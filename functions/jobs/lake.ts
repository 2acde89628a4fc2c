import * as z from "zod";
import { counted } from "../../shared/counted.ts";
import type { BuildPorts } from "../../shared/lake/build-day.ts";
import { buildLake } from "../../shared/lake/build-lake.ts";
import type { ChangedDays } from "../../shared/lake/lake.ts";
import { log, logFailure } from "../../shared/log.ts";
import { clock, lazyHandler, openLake, openTable } from "../compose.ts";
import { deadlineOf, openJobBook, type Running, recordSuccess } from "./middleware.ts";

/** Milliseconds at the end of a run in which it begins no day. */
const MARGIN = 300_000;

/** Operators can invoke the function with days to check that have not changed. */
const requestSchema = z.looseObject({
  rebuild: z.union([z.literal("all"), z.array(z.iso.date())]).optional(),
});

/** Schedule: builds the partitions of days whose archive objects have changed. Fails when a day could not be built. */
const createLakeJob =
  (open: () => Promise<BuildPorts & { changes: ChangedDays }>, clock: () => number) =>
  async (event: unknown, context: Running): Promise<void> => {
    const deadline = deadlineOf(clock, context, MARGIN);
    const ports = await open();
    const { success, data } = requestSchema.safeParse(event ?? {});
    if (!success) throw new Error('rebuild: give "all", or days, such as ["2026-11-21"]');
    const { rebuild } = data;
    if (rebuild) await ports.changes.mark(rebuild === "all" ? await ports.archived.days() : rebuild);
    const run = await buildLake({ ...ports, clock }, deadline, (day, error) => logFailure(error, { job: "lake", day }));
    log("info", { job: "lake", ...run });
    if (run.failed > 0) throw new Error(`${counted(run.failed, "day")} could not be built`);
  };

export const handler = lazyHandler((config) => {
  return recordSuccess("jobs-lake", openJobBook(config), createLakeJob(openLake(config, openTable(config)), clock));
});

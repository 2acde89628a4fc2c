import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { parseSessionKey } from "../../shared/dynamodb/keys.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { type BuildDependencies, buildExport, cleanUp } from "../../shared/exports/build-export.ts";
import { openExportObjects } from "../../shared/exports/export-objects.s3.ts";
import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import type { ExportStore } from "../../shared/exports/export-store.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createPersonStore } from "../../shared/privacy/person.dynamodb.ts";
import { randomId } from "../../shared/random.ts";
import { clock, lazyHandler, openExportTable, openFiles, openMetricsTable, openStores, openTable } from "../compose.ts";
import { createBatch, deadlineOf, type Running } from "./middleware.ts";

/** Milliseconds at the end of a run in which it collects nothing more. */
const MARGIN = 90_000;

/** Consecutive runs that fail or are killed before the export counts as failed. */
const MAX_ATTEMPTS = 5;

interface Dependencies extends BuildDependencies {
  exports: Pick<ExportStore, "find" | "attempt" | "startNextRun" | "end">;
}

/** Stream consumer: builds the zip of an export. If one run cannot finish it, the next run continues. */
export function createBuildExportJob(deps: Dependencies) {
  return async ({ Records }: DynamoDBStreamEvent, context: Running): Promise<DynamoDBBatchResponse> => {
    const batch = createBatch("build-export");
    for (const record of Records) {
      const { user, id } = exportOf(record);
      const deadline = deadlineOf(deps.clock, context, MARGIN);
      await batch.attempt({ records: [record], user }, () => build(deps, user, id, deadline));
    }
    return batch.response;
  };
}

async function build(deps: Dependencies, user: string, id: string, deadline: number): Promise<void> {
  const record = await deps.exports.attempt(user, id);
  if (!record) return cleanUp(deps.objects, { user_id: user, id });
  try {
    if ((await buildExport(deps, record, deadline)) === "more") await deps.exports.startNextRun(user, id);
  } catch (error) {
    // After the last retry, Lambda sends the event to the dead-letter queue, which raises an alarm.
    if (record.attempts >= MAX_ATTEMPTS) {
      await deps.exports.end(user, id, null);
      await cleanUp(deps.objects, record);
    }
    throw error;
  }
}

function exportOf({ dynamodb }: DynamoDBRecord): { user: string; id: string } {
  return { user: parseSessionKey(dynamodb?.Keys?.pk?.S ?? "").user, id: dynamodb?.NewImage?.id?.S ?? "" };
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  const limits = createLimits(table);
  const persons = createPersonStore(table);
  return createBuildExportJob({
    exports: createExportStore(openExportTable(config)),
    objects: openExportObjects(config.ARCHIVE_BUCKET),
    stores: openStores(config, table),
    files: openFiles(config, table),
    memories: createMemoryStore(table, clock),
    events: createEventStore(openMetricsTable(config)),
    usage: async (user) => limits.usage(user, clock()),
    settings: async (user) => {
      const { memory } = await persons.find(user);
      return { memory };
    },
    newId: randomId,
    clock,
  });
});

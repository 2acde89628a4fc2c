import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { archiveSession } from "../../shared/archive/archive-session.ts";
import { purgeSession } from "../../shared/archive/purge-session.ts";
import { loadConfig } from "../../shared/config.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { fromHeaderImage } from "../../shared/session/items.dynamodb.ts";
import type { Stores } from "../../shared/session/stores.ts";
import { openStores } from "../dependencies/stores.ts";
import { openTable } from "../dependencies/table.ts";

/** Sessions archived at once. */
const PARALLEL = 10;

/**
 * Stream consumer: a header that DynamoDB's TTL has deleted is a session to archive; a stub that it has deleted is one
 * whose archive has reached its age. Records are independent of each other, and each may come again.
 */
export const createArchiveJob =
  (stores: Stores) =>
  async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const pending = [...Records];
    const batchItemFailures: DynamoDBBatchResponse["batchItemFailures"] = [];
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return { batchItemFailures };

    async function work(): Promise<void> {
      for (let record = pending.shift(); record; record = pending.shift()) {
        try {
          await finish(stores, record);
        } catch (error) {
          console.error(
            JSON.stringify({ level: "error", event: record.eventID, message: String(error), cause: causeOf(error) }),
          );
          batchItemFailures.push({ itemIdentifier: record.dynamodb?.SequenceNumber ?? "" });
        }
      }
    }
  };

async function finish(stores: Stores, { dynamodb }: DynamoDBRecord): Promise<void> {
  if (!dynamodb?.OldImage) throw new Error("the record has no old image");
  const record = fromHeaderImage(dynamodb.OldImage as Parameters<typeof fromHeaderImage>[0]);
  if (record.status === "active") await archiveSession(stores, record);
  else await purgeSession(stores, record);
}

const causeOf = (error: unknown): string | undefined =>
  error instanceof Error && error.cause !== undefined ? String(error.cause) : undefined;

export const handler = lazy(() => {
  const settings = loadConfig();
  return createArchiveJob(openStores(settings, openTable(settings)));
});

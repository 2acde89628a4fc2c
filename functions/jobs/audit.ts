import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { createOutboxReader, fromNoteImage } from "../../shared/audit/audit-outbox.dynamodb.ts";
import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import { type WriteDependencies, writeLeftOvers, writeRecords } from "../../shared/audit/write-records.ts";
import { logFailure } from "../../shared/log.ts";
import { clock, lazyHandler, openAuditTable, openOutboxTable, openPseudonyms } from "../compose.ts";

/** Stream consumer: the only function that writes audit records. It makes them from the notes that requests have stored. */
export function createAuditJob(open: () => Promise<WriteDependencies>) {
  return async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    try {
      const deps = await open();
      await writeRecords(deps, Records.map(noteIn));
      await writeLeftOvers(deps);
      return { batchItemFailures: [] };
    } catch (error) {
      logFailure(error, { job: "audit" });
      // Retry the whole batch: an audit record that is written again changes nothing.
      return { batchItemFailures: [{ itemIdentifier: Records[0]?.dynamodb?.SequenceNumber ?? "" }] };
    }
  };
}

function noteIn({ dynamodb }: DynamoDBRecord) {
  if (!dynamodb?.NewImage) throw new Error("the record has no new image");
  return fromNoteImage(dynamodb.NewImage as Parameters<typeof fromNoteImage>[0]);
}

export const handler = lazyHandler((config) => {
  const pseudonyms = openPseudonyms(config);
  return createAuditJob(async () => ({
    audit: createAuditStore(openAuditTable(config)),
    outbox: createOutboxReader(openOutboxTable(config)),
    pseudonym: await pseudonyms(),
    clock,
  }));
});

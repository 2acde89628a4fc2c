import { unmarshall } from "@aws-sdk/util-dynamodb";
import { toSeconds } from "../clock.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { retention } from "../retention/policy.ts";
import type { AuditNote, AuditOutbox } from "./audit-record.ts";

/** The one partition of notes. One is enough, because notes are written rarely and deleted soon. */
const PARTITION = "O";

const keyOf = ({ id }: Pick<AuditNote, "id">) => ({ pk: PARTITION, sk: id });

/** Stores notes in the table `audit-outbox`. */
export function createAuditOutbox(table: Pick<Table, "put">): AuditOutbox {
  return {
    async leave(note) {
      const expires_at = toSeconds(Date.parse(note.at)) + retention.auditNote.seconds;
      await table.put({
        Item: { ...keyOf(note), ...note, expires_at },
        ConditionExpression: "attribute_not_exists(pk)",
      });
    },
  };
}

/** Reads and deletes notes, for the job that writes the audit records. */
export function createOutboxReader(table: Pick<Table, "pages" | "batchWrite">) {
  return {
    /** Yields the notes that were stored before an instant (ISO 8601), page by page. */
    async *before(at: string): AsyncIterable<AuditNote[]> {
      const pages = table.pages({
        KeyConditionExpression: "pk = :pk",
        FilterExpression: "#at < :at",
        ExpressionAttributeNames: { "#at": "at" },
        ExpressionAttributeValues: { ":pk": PARTITION, ":at": at },
        ConsistentRead: true,
      });
      for await (const { items } of pages) yield items.map(fromItem);
    },
    remove: (notes: readonly AuditNote[]) => table.batchWrite([], notes.map(keyOf)),
  };
}

export type OutboxReader = ReturnType<typeof createOutboxReader>;

/** Reads the note in the image of a stream record. */
export function fromNoteImage(image: Parameters<typeof unmarshall>[0]): AuditNote {
  return fromItem(unmarshall(image));
}

function fromItem({ pk: _pk, sk: _sk, expires_at: _expires, ...note }: Item): AuditNote {
  return note as unknown as AuditNote;
}

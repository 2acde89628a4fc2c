import type { Clock } from "../clock.ts";
import type { OutboxReader } from "./audit-outbox.dynamodb.ts";
import type { AuditNote, AuditRecord, AuditStore } from "./audit-record.ts";

/** Milliseconds after which the stream record of a note counts as lost. */
const LEFT_OVER = 600_000;

export interface WriteDependencies {
  audit: Pick<AuditStore, "add">;
  outbox: OutboxReader;
  /** Returns the hash of a user, as in the lake. */
  pseudonym(user: string): string;
  clock: Clock;
}

/** Writes the records of notes, and then deletes the notes. May be repeated. */
export async function writeRecords({ audit, outbox, pseudonym }: WriteDependencies, left: readonly AuditNote[]) {
  // Remove duplicates: the stream may deliver a note twice in one batch, and a batch of deletions must not name an item twice.
  const notes = [...new Map(left.map((note) => [note.id, note])).values()];
  await Promise.all(notes.map((note) => audit.add(toRecord(note, pseudonym))));
  await outbox.remove(notes);
}

/** Writes the records of notes whose stream records were lost. */
export async function writeLeftOvers(deps: WriteDependencies): Promise<void> {
  const at = new Date(deps.clock() - LEFT_OVER).toISOString();
  for await (const notes of deps.outbox.before(at)) if (notes.length > 0) await writeRecords(deps, notes);
}

function toRecord({ actor, subject, ...note }: AuditNote, pseudonym: (user: string) => string): AuditRecord {
  return { ...note, actor: pseudonym(actor), subject: subject === undefined ? null : pseudonym(subject) };
}

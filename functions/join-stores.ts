import type { Clock } from "../shared/clock.ts";
import type { Table } from "../shared/dynamodb/table.ts";
import { createFileStore } from "../shared/files/file-store.dynamodb.ts";
import type { FileObjects } from "../shared/files/file-store.ts";
import { createSessionFiles } from "../shared/files/session-files.ts";
import { createSessionMemories } from "../shared/memory/forget.ts";
import { createMemoryStore } from "../shared/memory/memory-store.dynamodb.ts";
import type { Archive } from "../shared/session/archive.ts";
import { createMessageStore } from "../shared/session/message-store.dynamodb.ts";
import { createSessionStore } from "../shared/session/session-store.dynamodb.ts";
import type { Stores } from "../shared/session/store.ts";

interface OtherPorts {
  archive: Archive;
  /** Opens the contents of files at their first use. */
  openObjects(): Promise<FileObjects>;
  clock: Clock;
}

/** Joins the stores of sessions in one table with the archive and the contents of files. */
export function joinStores(table: Table, { archive, openObjects, clock }: OtherPorts): Stores {
  const sessions = createSessionStore(table);
  return {
    sessions,
    messages: createMessageStore(table),
    memories: createSessionMemories(createMemoryStore(table, clock)),
    files: createSessionFiles({ files: createFileStore(table), sessions, openObjects, clock }),
    archive,
    clock,
  };
}

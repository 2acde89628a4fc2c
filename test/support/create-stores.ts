import type { Clock } from "../../shared/clock.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createFileStore } from "../../shared/files/file-store.dynamodb.ts";
import type { FileObjects } from "../../shared/files/file-store.ts";
import { createSessionFiles } from "../../shared/files/session-files.ts";
import { createSessionMemories } from "../../shared/memory/forget.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import type { Archive } from "../../shared/session/archive.ts";
import { createMessageStore } from "../../shared/session/message-store.dynamodb.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { Stores } from "../../shared/session/store.ts";
import { createMemoryFiles } from "./memory-files.ts";

interface Around {
  archive: Archive;
  /** The contents of files. @default in memory */
  fileObjects?: FileObjects;
  clock: Clock;
}

/** Joins the stores of sessions in one table, as the functions do. */
export function createStores(
  table: Table,
  { archive, fileObjects = createMemoryFiles().objects, clock }: Around,
): Stores {
  const sessions = createSessionStore(table);
  return {
    sessions,
    messages: createMessageStore(table),
    memories: createSessionMemories(createMemoryStore(table, clock)),
    files: createSessionFiles({
      files: createFileStore(table),
      sessions,
      openObjects: async () => fileObjects,
      clock,
    }),
    archive,
    clock,
  };
}

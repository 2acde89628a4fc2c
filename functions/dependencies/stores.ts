import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createMessageStore } from "../../shared/session/messages.dynamodb.ts";
import { createSessionStore } from "../../shared/session/store.dynamodb.ts";
import type { Stores } from "../../shared/session/stores.ts";
import { openArchive } from "./archive.ts";

/** Everything that the life of a session needs. */
export const openStores = (config: Config, table: Table): Stores => ({
  sessions: createSessionStore(table),
  messages: createMessageStore(table),
  memories: createMemoryStore(table),
  archive: openArchive(config),
  clock: Date.now,
});

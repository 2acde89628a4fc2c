import type { Table } from "../../shared/dynamodb/table.ts";
import { createSessionMemories } from "../../shared/memory/forget.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import type { Archive } from "../../shared/session/archive.ts";
import { createMessageStore } from "../../shared/session/messages.dynamodb.ts";
import { createSessionStore } from "../../shared/session/store.dynamodb.ts";
import type { Stores } from "../../shared/session/store.ts";
import { clock } from "./clock.ts";

/** Everything that the life of a session needs. */
export const openStores = (table: Table, archive: Archive): Stores => ({
  sessions: createSessionStore(table),
  messages: createMessageStore(table),
  memories: createSessionMemories(createMemoryStore(table, clock)),
  archive,
  clock,
});

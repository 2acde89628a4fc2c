import type { Clock } from "../clock.ts";
import type { MemoryStore } from "../memory/store.ts";
import type { Archive } from "./archive.ts";
import type { MessageStore, SessionStore } from "./store.ts";

/** What the life of a session needs. An operation asks for the part of it that it uses. */
export interface Stores {
  sessions: SessionStore;
  messages: MessageStore;
  memories: MemoryStore;
  archive: Archive;
  clock: Clock;
}

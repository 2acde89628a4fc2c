import type { Clock } from "../clock.ts";
import type { TransactionAction } from "../dynamodb/table.ts";
import type { Archive } from "./archive.ts";
import type { SessionId } from "./session.ts";
import type { MessageStore, SessionStore } from "./store.ts";

/** What is remembered of sessions, as far as the life of a session needs it. */
export interface SessionMemories {
  /**
   * Prepares the write that hides what was said in generations before `below` from every search. It takes effect together
   * with the transition that it joins, or not at all. `now` is in epoch milliseconds.
   */
  hide(session: SessionId, below: number, now: number): Promise<TransactionAction>;
  /** Deletes the memories of generations before `below`. May be repeated, and run beside another. */
  forget(session: SessionId, below: number): Promise<void>;
}

/** What the life of a session needs. An operation asks for the part of it that it uses. */
export interface Stores {
  sessions: SessionStore;
  messages: MessageStore;
  memories: SessionMemories;
  archive: Archive;
  clock: Clock;
}

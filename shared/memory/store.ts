import type { TransactionAction } from "../dynamodb/table.ts";
import type { VectorPlace } from "../dynamodb/tables.ts";
import type { SessionId } from "../session/session.ts";
import type { Space } from "./embedder.ts";
import type { Candidate, Draft, MemoryRecord } from "./record.ts";
import type { TermStatistics } from "./statistics.ts";

/** Each memory has room for two vectors, each with an index of its own, so that another model's can be made beside the old ones. */
export type Slot = "a" | "b";

/** Where vectors are, and of which models. */
export interface Layout {
  /** What searches use. */
  slot: Slot;
  space: Space;
  /** What is being built beside it; new memories get both vectors meanwhile. `isCheck`: all are there, as far as is known. */
  building?: { slot: Slot; space: Space; progress: Progress; isCheck: boolean };
  /** What nothing searches any more from `from` (epoch ms) on, while its vectors are being taken away. */
  clearing?: { slot: Slot; progress: Progress; from: number };
}

/** How far a pass over all sessions has come. */
export interface Progress {
  /** Shards of sessions that are done. */
  shards: number;
  sessions: number;
  /** Vectors that were written. */
  vectors: number;
}

/** What is known of all memories of a user. */
export interface Summary {
  statistics: TermStatistics;
  /** Epoch milliseconds: what was captured before is forgotten, stored or not. 0 = nothing is. */
  forgottenBefore: number;
  /** Ids of the memories that were forgotten one by one most lately: an index may still hold them. */
  forgotten: string[];
  /** The sessions that were deleted or reset most lately, by a hash of their ids: an index may still hold what was said in them. */
  forgottenSessions: Record<string, ForgottenSession>;
  /** Another one after every change; empty = nothing is stored yet. */
  version: string;
}

export interface ForgottenSession {
  /** Epoch milliseconds at which it was deleted or reset. */
  at: number;
  /** Generation before which all is forgotten. */
  below: number;
}

export type Vectors = Partial<Record<Slot, number[]>>;

export interface SearchRequest {
  slot: Slot;
  /** Its length says which index of the slot is searched. */
  vector: number[];
  /** 100 at most. */
  limit: number;
  session_id?: string | undefined;
  /** Only memories of this month (`2026-11`) or year (`2026`), UTC. */
  period?: string | undefined;
}

/**
 * What became of a change of a user's memories, which is carried out whole or not at all. `stale`: the summary is not as it
 * was read. `refused`: these are there already, or gone, or their session forbids them.
 */
export type Change = { kind: "done" | "stale" } | { kind: "refused"; ids: Set<string> };

/** The memories of users, their vectors and their statistics. */
export interface MemoryStore {
  /** Memories that one `add` or `remove` takes at most. */
  maxPerChange: number;
  /** Strongly consistent. */
  summary(user: string): Promise<Summary>;
  /** Null before anything was remembered. Strongly consistent. */
  layout(): Promise<Layout | null>;
  /** Stores a layout in the place of another; false when that is not what is stored. */
  setLayout(from: Layout | null, to: Layout): Promise<boolean>;
  /** The nearest memories of the user, nearest first, with their cosine similarity. */
  search(user: string, request: SearchRequest): Promise<{ candidate: Candidate; similarity: number }[]>;
  /** Those of the memories that are there and not forgotten, nor of a session that was deleted or reset. Strongly consistent. */
  find(memories: readonly { session: SessionId; id: string }[]): Promise<MemoryRecord[]>;
  /** Those whose sessions are there, and were not reset since. Strongly consistent. */
  ofLivingSessions<T extends MemoryRecord>(records: readonly T[]): Promise<T[]>;
  /**
   * The life of each session of one user, by session id: the generation in which the session was created or last reset. A
   * session that does not exist has none. Strongly consistent.
   */
  lives(sessions: readonly SessionId[]): Promise<Map<string, number>>;
  /** Ids of those that are there, forgotten or not; may miss the very newest. */
  present(drafts: readonly Draft[]): Promise<Set<string>>;
  /** The memories of a session that sort before an id, latest first. */
  before(session: SessionId, id: string, limit: number): Promise<MemoryRecord[]>;
  /**
   * Adds memories and counts them, provided that none is there yet, forgotten or not, and that their sessions exist with no
   * newer generation than that which each was made from.
   */
  add(
    user: string,
    memories: readonly { record: MemoryRecord; vectors: Vectors }[],
    from: Summary,
    to: TermStatistics,
  ): Promise<Change>;
  /** Removes memories that are there. `keepName`: what is left of each says that it is not to come again. */
  remove(records: readonly MemoryRecord[], from: Summary, to: TermStatistics, keepName: boolean): Promise<Change>;
  /** The write that names a session as forgotten, provided that the summary is as it was read. */
  hiding(session: SessionId, from: Summary, forgotten: ForgottenSession): TransactionAction;
  /** Marks everything that was captured before `now` (epoch ms) as forgotten; false when the summary was not as it was read. */
  forgetAll(user: string, from: Summary, now: number): Promise<boolean>;
  /** Deletes memories without counting: what is forgotten already. */
  erase(records: readonly MemoryRecord[]): Promise<void>;
  /** Every memory of a session in order, a page at a time, and what names those that were forgotten. Strongly consistent. */
  ofSession(session: SessionId): AsyncIterable<{
    records: (MemoryRecord & { places: VectorPlace[] })[];
    forgotten: { id: string; generation: number }[];
  }>;
  /** Deletes what forgotten memories of a session have left. */
  clearForgotten(session: SessionId, ids: readonly string[]): Promise<void>;
  /** Memories of a user by id, newest first; may miss the very newest. */
  list(
    user: string,
    query: { limit: number; after?: string | undefined },
  ): Promise<{ records: MemoryRecord[]; more: boolean }>;
  /** The session that a memory belongs to; null when the user has none of this id. */
  locate(user: string, id: string): Promise<SessionId | null>;
  /** Gives a memory that is there vectors, and takes others away. */
  changeVectors(record: MemoryRecord, change: { set?: Vectors; remove?: readonly VectorPlace[] }): Promise<void>;
}

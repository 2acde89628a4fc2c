import type { TransactionAction } from "../dynamodb/table.ts";
import type { VectorPlace } from "../dynamodb/tables.ts";
import type { Anchor, SessionId } from "../session/session.ts";
import type { Tree } from "../session/tree.ts";
import type { Space } from "./embedder.ts";
import type { Candidate, Draft, MemoryKey, MemoryRecord } from "./memory.ts";
import type { TermStatistics } from "./statistics.ts";

/** A memory has room for two vectors, each with its own index, so that vectors of another model can be built beside the old ones. */
export type Slot = "a" | "b";

/** Which slots hold vectors, and of which model. */
export interface Layout {
  /** The slot that searches use. */
  slot: Slot;
  space: Space;
  /** The slot that is being built. New memories get both vectors meanwhile. `isCheck`: the pass only looks for missing vectors. */
  building?: { slot: Slot; space: Space; progress: Progress; isCheck: boolean };
  /** The slot whose vectors are being removed. No search uses it from `from` (epoch ms) on. */
  clearing?: { slot: Slot; progress: Progress; from: number };
}

/** How far a pass over all sessions has come. */
export interface Progress {
  /** Completed shards of sessions. */
  shards: number;
  sessions: number;
  /** Vectors that were written. */
  vectors: number;
}

/** One item per user: the statistics of all memories, and what is forgotten although an index may still hold it. */
export interface Summary {
  statistics: TermStatistics;
  /** Epoch milliseconds: everything captured before is forgotten. 0 = nothing. */
  forgottenBefore: number;
  /** Ids of the memories that were forgotten one by one, the last few. */
  forgotten: string[];
  /** Sessions that were deleted or reset, the last few, by a hash of their ids. */
  forgottenSessions: Record<string, ForgottenSession>;
  /** Changes with every write; empty = no summary is stored. */
  version: string;
}

export interface ForgottenSession {
  /** Epoch milliseconds of the deletion or reset. */
  at: number;
  /** All memories of generations before this one are forgotten. */
  below: number;
}

export type Vectors = Partial<Record<Slot, number[]>>;

/** A memory with the vectors to store, and the digests of the memories before it. */
export type NewMemory = MemoryRecord & { vectors: Vectors; digests: readonly string[] };

/** A stored memory. Those that were stored by earlier versions have no digests. */
export type PrecedingMemory = MemoryRecord & { digests?: readonly string[] };

export interface SearchRequest {
  slot: Slot;
  /** Its length selects the index of the slot. */
  vector: number[];
  /** 100 at most. */
  limit: number;
  session_id?: string | undefined;
  /** Only memories of this month (`2026-11`) or year (`2026`), UTC. */
  period?: string | undefined;
}

/**
 * Result of an atomic change. If it was not made: the ids that were refused; none = the summary has changed. `isStale`: the
 * anchor of a session has changed, so the caller must read the state again before it decides.
 */
export type Change = { done: true } | { done: false; refused: ReadonlySet<string>; isStale?: boolean };

/** What decides which messages of a session are remembered. */
export interface Life {
  /** The generation in which the session was created or last reset. */
  generation: number;
  /** The anchor as it was read. */
  anchor: Pick<Anchor, "state" | "live_generation" | "tree_version">;
  /** Absent = the session never branched. */
  tree?: Tree;
}

export interface Basis {
  /** Epoch milliseconds since which what the user says is remembered; `null` = the user has switched memory off. */
  since: number | null;
  /** As `livesOf` returns them. */
  lives: Map<string, Life>;
  summary: Summary;
  /** `null` before the first memory. */
  layout: Layout | null;
  /** Which of the drafts are stored or forgotten, by id. */
  present: Set<string>;
}

/** Memories that one `add` or `remove` takes at most: with the summary, the person's record and a session each, below the 100 actions of a transaction. */
export const MAX_PER_CHANGE = 45;

/** Reads and searches memories. All reads are strongly consistent, except those of an index: `search`, `list` and `locate`. */
export interface MemoryReader {
  /** Reads the summary of a user. */
  summary(user: string): Promise<Summary>;
  /** Reads the layout; `null` before the first memory. */
  layout(): Promise<Layout | null>;
  /** Returns the nearest memories of the user, nearest first, with their cosine similarity. */
  search(user: string, request: SearchRequest): Promise<{ candidate: Candidate; similarity: number }[]>;
  /** Lists the memories of a user by id, newest first. */
  list(
    user: string,
    query: { limit: number; after?: string | undefined },
  ): Promise<{ records: MemoryRecord[]; more: boolean }>;
  /** Finds the session of a memory; `null` when the user has no such memory. */
  locate(user: string, id: string): Promise<SessionId | null>;
  /** Reads memories. Omits those that are forgotten, and those whose session was deleted or reset since. */
  find(memories: readonly MemoryKey[]): Promise<MemoryRecord[]>;
  /** Selects the memories whose session exists and was not reset since. */
  ofLivingSessions<T extends MemoryRecord>(records: readonly T[]): Promise<T[]>;
}

export interface Removal {
  /** Leaves an item that prevents the return of the memories. @default false */
  keepName?: boolean;
  /** That of the session of all these memories, whose anchor must not have changed. @default the anchor does not matter */
  life?: Life;
}

/** Adds and removes memories. A change also writes the summary, and is made only if the summary is still the one that was read. */
export interface MemoryWriter {
  /** Reads in one call what decides which messages of these sessions become memories, and how they are stored. */
  basisOf(user: string, sessions: readonly SessionId[], drafts: readonly Draft[]): Promise<Basis>;
  /**
   * Returns the life of each session that exists, by session id; of incognito sessions none, so that they are never remembered. The
   * sessions must be of one user.
   */
  livesOf(sessions: readonly SessionId[]): Promise<Map<string, Life>>;
  /** Returns the ids that are stored or forgotten. Unless `consistent`, may miss the newest and include what was just removed. */
  presentIds(drafts: readonly Draft[], options: { consistent: boolean }): Promise<Set<string>>;
  /**
   * Returns the memories of a session that precede an id, latest first. Reads so many items, of which forgotten ones are left out; `more`:
   * there may be earlier ones.
   */
  preceding(memory: MemoryKey, limit: number): Promise<{ records: PrecedingMemory[]; more: boolean }>;
  /**
   * Adds memories. Refuses one that is stored or forgotten, or whose session is gone or has a newer generation. `lives`: those of their
   * sessions, whose trees must not have changed.
   */
  add(
    user: string,
    memories: readonly NewMemory[],
    lives: ReadonlyMap<string, Life>,
    from: Summary,
    to: TermStatistics,
  ): Promise<Change>;
  /** Removes memories. Refuses one that is not stored. */
  remove(records: readonly MemoryRecord[], from: Summary, to: TermStatistics, options: Removal): Promise<Change>;
  /** Returns the write that names a session as forgotten, for a transaction. */
  hidingAction(session: SessionId, from: Summary, forgotten: ForgottenSession): TransactionAction;
  /** Marks everything captured before `now` (epoch ms) as forgotten; false when the summary has changed. */
  forgetAll(user: string, from: Summary, now: number): Promise<boolean>;
}

/** Rebuilds vectors and deletes what is forgotten. */
export interface MemoryMaintenance {
  /** Replaces a layout; false when another one is stored. */
  setLayout(from: Layout | null, to: Layout): Promise<boolean>;
  /**
   * Yields the memories of a session in order and the names of its forgotten ones, page by page. `since`: only those of messages from
   * this time on (ISO 8601). Strongly consistent.
   */
  ofSession(
    session: SessionId,
    since?: string,
  ): AsyncIterable<{
    records: (MemoryRecord & { places: VectorPlace[] })[];
    forgotten: { id: string; generation: number }[];
  }>;
  /** Deletes memories that are forgotten already, or the names that forgotten ones have left. Does not count. */
  erase(memories: readonly MemoryKey[]): Promise<void>;
  /** Sets and removes vectors of a memory that is stored. */
  changeVectors(record: MemoryRecord, change: { set?: Vectors; remove?: readonly VectorPlace[] }): Promise<void>;
}

export type MemoryStore = MemoryReader & MemoryWriter & MemoryMaintenance;

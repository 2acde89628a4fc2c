import type { Clock } from "../clock.ts";
import type { TransactionAction } from "../dynamodb/table.ts";
import type { Archive } from "./archive.ts";
import type { MessageRecord } from "./message.ts";
import type { InputPart, MessagePart } from "./parts.ts";
import type { Anchor, OpenAppend, RequestIdentity, SessionId, SessionRecord, Tombstone } from "./session.ts";
import type { Path, Tree } from "./tree.ts";

/** A change of a session's state in one transaction: its header or stub is created, replaced or deleted. */
export interface Transition {
  /** The record that must still be stored, with the same generation and version; `null` = there must be no header and no stub. */
  from: SessionRecord | null;
  to: SessionRecord | null;
  /** The condition on the anchor and its change. Absent = the anchor is not touched. */
  anchor?: {
    /** Conditions: the newest generation, the live generation, and the version of the tree (0 = none) must still be these. */
    expect: { newest?: number; live?: number; tree?: number };
    set: Partial<
      Pick<
        Anchor,
        | "state"
        | "title"
        | "title_of"
        | "metadata"
        | "ttl_seconds"
        | "pinned"
        | "live_generation"
        | "reset_generation"
        | "cleanup"
        | "due_at"
      >
    >;
  };
  /** The change of the number of active sessions. */
  active: -1 | 0 | 1;
  /** The new tree of the session's messages. Needs `anchor`. Absent = a stored tree stays. */
  tree?: Tree;
  /** Writes to other items in the same transaction. */
  joined?: readonly TransactionAction[];
}

/** The settings of a session, and its expiry. */
export interface Settings {
  title: string | null;
  title_of: null;
  metadata: Record<string, unknown>;
  ttl_seconds: number;
  pinned: boolean;
  /** Epoch seconds; `null` = never. */
  expires_at: number | null;
}

export interface ListQuery {
  status: "active" | "archived" | "all";
  /** Only pinned sessions. @default all */
  pinned?: true | undefined;
  order: "asc" | "desc";
  /** ISO 8601; inclusive. */
  from?: string | undefined;
  /** ISO 8601; exclusive. */
  to?: string | undefined;
  limit: number;
  /** The last session of the previous page. */
  after?: { updated_at: string; id: string };
  /** Epoch milliseconds. */
  now: number;
}

/** Headers, stubs and anchors of sessions. `find` and `findAnchor` are strongly consistent. */
export interface SessionStore {
  /** Finds the header or stub. */
  find(session: SessionId): Promise<SessionRecord | null>;
  findAnchor(session: SessionId): Promise<Anchor | null>;
  /**
   * Stores a new session; false when the id is in use. `over` is the tombstone of an earlier session with the same id; it moves to its own
   * key.
   */
  create(record: SessionRecord, anchor: Anchor, over?: Anchor): Promise<boolean>;
  /** Applies the change; false when a condition failed, so that nothing was written. */
  transit(session: SessionId, transition: Transition): Promise<boolean>;
  /**
   * Changes settings and the expiry of a hot session. Other requests may write to the session meanwhile. False when the session is no
   * longer hot, or when its lifetime or generation has changed since it was read.
   */
  setSettings(
    record: SessionRecord,
    patch: Partial<Settings> & Pick<Settings, "expires_at">,
    now: number,
    anchor: NonNullable<Transition["anchor"]>,
  ): Promise<boolean>;
  /** Sets a title that was made from messages, in a hot session without a title; else false. `of` is the id of the last of the messages. */
  giveTitle(record: SessionRecord, title: string, of: string, now: number): Promise<boolean>;
  /**
   * Takes the next generation, and makes the reconciler check the session at `dueAt`. Returns the anchor with the new generation; its
   * `cleanup` and `due_at` are still the earlier ones. `null` when `live` is not the live generation, or when the session does not exist.
   */
  nextGeneration(session: SessionId, live: number, dueAt: string): Promise<Anchor | null>;
  /**
   * Ends the cleanup and sets when the reconciler checks the session again. Changes nothing if a newer generation was taken, or the tree
   * was changed, since the anchor was read, because that request may need a cleanup.
   */
  schedule(session: SessionId, dueAt: string, seen: Pick<Anchor, "generation" | "tree_version">): Promise<void>;
  /** Finds the tombstone of a deleted session whose id is in use again. */
  findTombstone(session: SessionId, generation: number): Promise<Tombstone | null>;
  /** Marks a deleted session as purged. Its tombstone stays until `dueAt`. */
  markPurged(tombstone: Tombstone, dueAt: string): Promise<void>;
  /** Removes the tombstone of a deleted session. */
  removeTombstone(tombstone: Tombstone): Promise<void>;
  list(user: string, query: ListQuery): Promise<{ records: SessionRecord[]; more: boolean }>;
  /** Reads the sessions and moved tombstones that the reconciler must check by then (ISO 8601). A tombstone has its generation. */
  due(by: string): AsyncIterable<Due[]>;
  /** Reads the ids of all sessions, or those of `user`, also in limbo. It reads the whole index in both cases. */
  all(user?: string): AsyncIterable<SessionId[]>;
  /** Finds headers and stubs of many sessions, in any order; eventually consistent. */
  findMany(sessions: readonly SessionId[]): Promise<SessionRecord[]>;
  /** Counts the hot sessions. */
  countActive(): Promise<number>;
}

export type Due = SessionId & { tombstone?: number; due_at: string };

export interface AppendRequest {
  /** The header as it was read. */
  record: SessionRecord;
  messages: readonly MessageRecord[];
  /** Epoch milliseconds. */
  now: number;
  expiresAt: number | null;
  /** Stores the state of an append of several transactions; `null` = removes it, because the append is complete. */
  open?: OpenAppend | null;
  /** The tree with the branches that the messages begin. Its current branch becomes the session's. Needs `exact`. */
  tree?: Tree;
  /** The session must not have changed since `record` was read. */
  exact?: boolean;
  /** Writes to other items in the same transaction. */
  joined?: readonly TransactionAction[];
}

export interface RangeQuery {
  order: "asc" | "desc";
  /** Position after which the page starts, in the order of the query. */
  after?: string | undefined;
  /** ISO 8601; inclusive. */
  from?: string | undefined;
  /** ISO 8601; exclusive. */
  to?: string | undefined;
  limit: number;
  /** Only messages on this path are returned. */
  path: Path;
}

export interface MessageRange {
  messages: MessageRecord[];
  /** Whether another page follows. */
  more: boolean;
  /** The message on the path before the earliest of these; `null` = there is none, undefined = not known. */
  before: MessageRecord | null | undefined;
}

/** The messages of hot sessions. Reads are strongly consistent. */
export interface MessageStore {
  /** The number of messages from index `from` on that one `append` can store; at least one. `forks` says that it also stores a tree. */
  maxPerAppend(messages: readonly MessageRecord[], from: number, forks?: boolean): number;
  /**
   * Stores messages and updates the header, all or nothing. Returns "stale" when the header has changed since it was read, and "present"
   * when messages exist already; they are returned by the requested id.
   */
  append(
    request: AppendRequest,
  ): Promise<{ kind: "stored" | "stale" } | { kind: "present"; messages: Map<string, MessageRecord> }>;
  /** Reads, in one query, the header or stub, the tree, and the newest messages of the current branch, newest first. */
  window(session: SessionId, limit: number): Promise<MessageRange & { record: SessionRecord | null; tree: Tree }>;
  range(session: SessionId, generation: number, query: RangeQuery): Promise<MessageRange>;
  /** Reads the tree of a generation: `LINEAR` if it never branched. */
  tree(session: SessionId, generation: number): Promise<Tree>;
  /** Finds a stored message by its id, on any branch, also a deleted one. */
  locate(session: SessionId, generation: number, id: string): Promise<MessageRecord | null>;
  /** Reads all stored messages of a generation in order, of all branches, also deleted ones, page by page. */
  all(session: SessionId, generation: number): AsyncIterable<MessageRecord[]>;
  /** Stores messages of a generation that is not live yet. May be repeated. */
  put(session: SessionId, generation: number, messages: readonly MessageRecord[]): Promise<void>;
  /** Deletes messages of a generation. May be repeated. */
  remove(session: SessionId, generation: number, messages: readonly MessageRecord[]): Promise<void>;
  /** Deletes the messages and trees of all generations for which `keep` returns false. May be repeated. */
  clear(session: SessionId, keep: (generation: number) => boolean): Promise<void>;
}

/** The operations on memories that sessions need. */
export interface SessionMemories {
  /**
   * Prepares the write that hides the memories of generations before `below` from every search. The caller adds it to its own
   * transaction. `now` is in epoch milliseconds.
   */
  hide(session: SessionId, below: number, now: number): Promise<TransactionAction>;
  /** Deletes the memories of generations before `below`. May be repeated, also in parallel. */
  forget(session: SessionId, below: number): Promise<void>;
  /** Deletes the memories of messages, by their ids. May be repeated, also in parallel. */
  forgetMessages(session: SessionId, ids: ReadonlySet<string>): Promise<void>;
}

/** The operations on files that sessions need. */
export interface SessionFiles {
  /**
   * Converts the parts of a request's messages to stored parts: file parts get the type and name of their file, and `data:` URLs become
   * files. A retry of the request gets the same parts. `path` is the message's path in the request. Throws `validation_failed` that names
   * each part whose file cannot be used.
   */
  resolve(
    session: SessionId,
    messages: readonly { parts: readonly InputPart[]; path: string }[],
    request: RequestIdentity,
  ): Promise<MessagePart[][]>;
  /**
   * Prepares the writes that assign the files of messages to this session, because a file belongs to one session only. The caller adds
   * them to the transaction that stores the messages. Throws `validation_failed` like `resolve`.
   */
  taking(
    session: SessionId,
    generation: number,
    messages: readonly { message: MessageRecord; path: string }[],
  ): Promise<TransactionAction[]>;
  /** Deletes the files that no other message of the session names. May be repeated. */
  release(session: SessionId, messages: readonly string[]): Promise<void>;
  /** Deletes the files that no message of generation `below` or later names. May be repeated. */
  forget(session: SessionId, below: number): Promise<void>;
  /** Deletes the content of a file that DynamoDB's TTL has deleted. May be repeated. */
  removeContent(user: string, id: string): Promise<void>;
}

/** All ports of session operations. */
export interface Stores {
  sessions: SessionStore;
  messages: MessageStore;
  memories: SessionMemories;
  files: SessionFiles;
  archive: Archive;
  clock: Clock;
}

/** The numbers of sessions and messages that an operation has stored. Those that existed before do not count. */
export interface Stored {
  sessions?: number;
  messages?: number;
}

/** Called as soon as something is stored, so that it is counted even if the operation fails later. */
export type OnStored = (stored: Stored) => void;

import type { Clock } from "../clock.ts";
import type { TransactionAction } from "../dynamodb/table.ts";
import type { Archive } from "./archive.ts";
import type { MessageRecord } from "./message.ts";
import type { InputPart, MessagePart } from "./parts.ts";
import type { Anchor, OpenAppend, RequestIdentity, SessionId, SessionRecord, Tombstone } from "./session.ts";
import type { Path, Tree } from "./tree.ts";

/** A change of what a session is: its header or stub goes from one record to another, or to nothing, at once. */
export interface Transition {
  /** What must still be there, by generation and version; `null` = no header and no stub may be there. */
  from: SessionRecord | null;
  to: SessionRecord | null;
  /** What the anchor must be, and becomes. Absent = it is not touched. */
  anchor?: {
    /** Conditions. `newest` is the generation that must still be the last one given out. */
    expect: { newest?: number; live?: number };
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
  /** What it does to the number of active sessions. */
  active: -1 | 0 | 1;
  /** The tree of the session's messages after it. Needs `anchor`. Absent = the stored one stays, if there is one. */
  tree?: Tree;
  /** Writes to other items that happen together with the change, or not at all. */
  joined?: readonly TransactionAction[];
}

/** A change of a session's settings, and when the session expires after it. */
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
  order: "asc" | "desc";
  /** ISO 8601; inclusive. */
  from?: string | undefined;
  /** ISO 8601; exclusive. */
  to?: string | undefined;
  limit: number;
  /** Where the page before ended. */
  after?: { updated_at: string; id: string };
  /** Epoch milliseconds. */
  now: number;
}

/** Headers, stubs and anchors of sessions. A stale read never comes back from `find` or `findAnchor`. */
export interface SessionStore {
  /** The header or stub. */
  find(session: SessionId): Promise<SessionRecord | null>;
  findAnchor(session: SessionId): Promise<Anchor | null>;
  /**
   * Stores a new session; false when the id is taken. `over`: the tombstone of an earlier session with the same id, which moves
   * to a key of its own.
   */
  create(record: SessionRecord, anchor: Anchor, over?: Anchor): Promise<boolean>;
  /** Carries the change out whole; false when something was not as expected and nothing happened. */
  transit(session: SessionId, transition: Transition): Promise<boolean>;
  /**
   * Gives the settings that `patch` names to a hot session that may be written to meanwhile, and moves its expiry on. False when
   * it is no longer hot, or when its lifetime or generation is not as it was read.
   */
  setSettings(
    record: SessionRecord,
    patch: Partial<Settings> & Pick<Settings, "expires_at">,
    now: number,
    anchor: NonNullable<Transition["anchor"]>,
  ): Promise<boolean>;
  /** Gives a hot session a title that was made from messages; false when it has one by now. `of`: the id of the last of them. */
  giveTitle(record: SessionRecord, title: string, of: string, now: number): Promise<boolean>;
  /**
   * Gives out the next generation and has the reconciler look at `dueAt`. `cleanup`: something was left over already.
   * `null` when `live` is not the live generation of the session, or when it does not exist.
   */
  nextGeneration(
    session: SessionId,
    live: number,
    dueAt: string,
  ): Promise<{ generation: number; cleanup: boolean } | null>;
  /** When the reconciler looks again, with nothing left over; changes nothing once a newer generation was given out. */
  schedule(session: SessionId, dueAt: string, newest: number): Promise<void>;
  /** The tombstone of a deleted session whose id is in use again. */
  findTombstone(session: SessionId, generation: number): Promise<Tombstone | null>;
  /** Marks a deleted session as purged: its tombstone stays until `dueAt`. */
  markPurged(tombstone: Tombstone, dueAt: string): Promise<void>;
  /** Removes the tombstone of a deleted session. */
  removeTombstone(tombstone: Tombstone): Promise<void>;
  list(user: string, query: ListQuery): Promise<{ records: SessionRecord[]; more: boolean }>;
  /** Sessions that the reconciler has to look at by then (ISO 8601), and tombstones that have moved, by their generation. */
  due(by: string): AsyncIterable<Due[]>;
  /** All sessions. */
  all(): AsyncIterable<SessionId[]>;
  /** Headers and stubs of many sessions, in any order; eventually consistent. */
  findMany(sessions: readonly SessionId[]): Promise<SessionRecord[]>;
  /** How many sessions are hot. */
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
  /** Remembered until the append that it belongs to is whole; `null` = forgotten now. */
  open?: OpenAppend | null;
  /** The tree with the branches on which the messages begin; its current one becomes the session's. Needs `exact`. */
  tree?: Tree;
  /** Nothing may have been written to the session since `record` was read. */
  exact?: boolean;
  /** Writes to other items that happen together with the append, or not at all. */
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
  /** Other messages are left out. */
  path: Path;
}

export interface MessageRange {
  messages: MessageRecord[];
  /** Whether the next page holds any. */
  more: boolean;
  /** The message on the path right before the earliest of these; `null` = there is none, undefined = not known. */
  before: MessageRecord | null | undefined;
}

/** The messages of hot sessions. Reads are strongly consistent. */
export interface MessageStore {
  /** How many of the messages from index `from` on one `append` can take; at least one. `forks`: it stores a tree, too. */
  maxPerAppend(messages: readonly MessageRecord[], from: number, forks?: boolean): number;
  /**
   * Stores messages and moves the header on, all or nothing. `stale`: the header is not as it was read. `present`:
   * nothing was stored because these are there already, keyed by the id asked for.
   */
  append(
    request: AppendRequest,
  ): Promise<{ kind: "stored" | "stale" } | { kind: "present"; messages: Map<string, MessageRecord> }>;
  /** The header or stub, and of the live generation its tree and the newest messages of the current branch, newest first, in one query. */
  window(session: SessionId, limit: number): Promise<MessageRange & { record: SessionRecord | null; tree: Tree }>;
  range(session: SessionId, generation: number, query: RangeQuery): Promise<MessageRange>;
  /** The tree of a generation: `LINEAR` if it never branched. */
  tree(session: SessionId, generation: number): Promise<Tree>;
  /** Finds a message by its id, on any branch, deleted ones as well that are still stored. */
  locate(session: SessionId, generation: number, id: string): Promise<MessageRecord | null>;
  /** All messages of a generation in order, a page at a time: of all branches, deleted ones as well that are still stored. */
  all(session: SessionId, generation: number): AsyncIterable<MessageRecord[]>;
  /** Stores messages of a generation that is not live yet; may be repeated. */
  put(session: SessionId, generation: number, messages: readonly MessageRecord[]): Promise<void>;
  /** Deletes messages of a generation; may be repeated. */
  remove(session: SessionId, generation: number, messages: readonly MessageRecord[]): Promise<void>;
  /** Deletes the messages and trees of all generations that `keep` does not name; may be repeated. */
  clear(session: SessionId, keep: (generation: number) => boolean): Promise<void>;
}

/** What is remembered of sessions, as far as the life of a session needs it. */
export interface SessionMemories {
  /**
   * Prepares the write that hides what was said in generations before `below` from every search. It takes effect together
   * with the transition that it joins, or not at all. `now` is in epoch milliseconds.
   */
  hide(session: SessionId, below: number, now: number): Promise<TransactionAction>;
  /** Deletes the memories of generations before `below`. May be repeated, and run beside another. */
  forget(session: SessionId, below: number): Promise<void>;
  /** Deletes the memories of messages, by their ids. May be repeated, and run beside another. */
  forgetMessages(session: SessionId, ids: ReadonlySet<string>): Promise<void>;
}

/** The files that messages name, as far as the life of a session needs them. */
export interface SessionFiles {
  /**
   * Gives the parts of messages as they are stored: file parts get the type and name of their file, and `data:` URLs become files. The
   * same request always gives the same. `path` is that of the message in the request. Throws `validation_failed`, naming each part
   * whose file cannot be used.
   */
  resolve(
    session: SessionId,
    messages: readonly { parts: readonly InputPart[]; path: string }[],
    request: RequestIdentity,
  ): Promise<MessagePart[][]>;
  /**
   * Prepares the writes by which messages take their files, each for one session only. They join the write of the messages. Throws
   * `validation_failed` like `resolve`.
   */
  taking(
    session: SessionId,
    generation: number,
    messages: readonly { message: MessageRecord; path: string }[],
  ): Promise<TransactionAction[]>;
  /** Deletes the files that only these messages of the session name. May be repeated. */
  release(session: SessionId, messages: readonly string[]): Promise<void>;
  /** Deletes the files that only messages of generations before `below` name. May be repeated. */
  forget(session: SessionId, below: number): Promise<void>;
  /** Deletes the content of a file that DynamoDB's TTL has deleted. May be repeated. */
  removeContent(user: string, id: string): Promise<void>;
}

/** What the life of a session needs. An operation asks for the part of it that it uses. */
export interface Stores {
  sessions: SessionStore;
  messages: MessageStore;
  memories: SessionMemories;
  files: SessionFiles;
  archive: Archive;
  clock: Clock;
}

/** What an operation has stored for the first time: what was there already does not count. */
export interface Stored {
  sessions?: number;
  messages?: number;
}

/** Called as soon as something is stored, so that it counts also when the operation fails after that. */
export type OnStored = (stored: Stored) => void;

import type { TransactionAction } from "../dynamodb/table.ts";
import type { MessageRecord } from "../session/message.ts";
import type { SessionId, SessionRecord } from "../session/session.ts";
import type { Place, Tree } from "../session/tree.ts";

/** Names a turn by the id of its answer. */
export interface TurnId extends SessionId {
  generation: number;
  /** Id of the answer. */
  answer: string;
  /** The answer's branch. Absent = 0. */
  branch?: number;
}

export interface BeginRequest {
  /** The header as it was read. */
  record: SessionRecord;
  /** With its branch, which is that of the answer. */
  question: MessageRecord;
  /** The writes by which the question takes its files. */
  joined?: readonly TransactionAction[];
  answer: string;
  branch: number;
  /** The question is stored already, and is answered again. */
  isAgain: boolean;
  /** The tree in which the turn begins a branch, which becomes the current one. Needs `isExact`. */
  tree?: Tree;
  /** Nothing may have been written to the session since `record` was read. */
  isExact?: boolean;
  /** Epoch milliseconds. */
  now: number;
  /** Epoch milliseconds after which the turn counts as dead. The session does not expire before then. */
  until: number;
  /** Turns that died: their marks are removed and their stored messages are counted. */
  dead: readonly DeadTurn[];
}

export interface DeadTurn {
  answer: string;
  /** Stored messages that are not in `message_count` yet. */
  messages: number;
}

/** The partial answer of a running turn. */
export interface LiveText {
  text: string;
  model: string;
  /** A client has stopped the turn. */
  isStopped?: boolean;
}

/** Running turns, stored in the partition of their session. */
export interface TurnStore {
  /**
   * Stores the question and marks the turn as running, all or nothing. `stale`: the header has changed since it was read. `taken`:
   * another attempt at this turn runs it or has run it. `present`: an earlier attempt has begun it, on this branch, and died or failed.
   */
  begin(request: BeginRequest): Promise<{ kind: "begun" | "stale" | "taken" } | { kind: "present"; branch: number }>;
  /** Stores the answer; false when the turn has one already. */
  save(turn: TurnId, answer: MessageRecord): Promise<boolean>;
  /**
   * Ends the turn: counts its messages, makes the last one the head if its branch is the current one, and restarts the session's idle
   * time. False when the header has changed since it was read, or the turn is not running.
   */
  close(turn: TurnId, record: SessionRecord, messages: { count: number; last: Place }, now: number): Promise<boolean>;
  /** Finds the answer of a turn by its id, which contains the time of the turn. Strongly consistent. */
  find(session: SessionId, generation: number, id: string): Promise<MessageRecord | null>;
  /** Deletes an answer that was stored while the session was reset. */
  discard(turn: TurnId): Promise<void>;
  /** Asks the function that runs the turn to end it. */
  stop(turn: TurnId, now: number): Promise<void>;
  /** Whether a client has stopped the turn. */
  isStopped(turn: TurnId): Promise<boolean>;
  /** Stores the partial answer, replacing the previous one. */
  saveText(turn: TurnId, text: LiveText, now: number): Promise<void>;
  /** Finds the partial answer. */
  findText(turn: TurnId): Promise<LiveText | null>;
}

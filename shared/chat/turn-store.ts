import type { MessageRecord } from "../session/message.ts";
import type { SessionId, SessionRecord } from "../session/session.ts";

/** Which turn of which session: that of the answer with this id. */
export interface TurnId extends SessionId {
  generation: number;
  /** Id of the answer. */
  answer: string;
}

export interface BeginRequest {
  /** The header as it was read. */
  record: SessionRecord;
  question: MessageRecord;
  answer: string;
  /** Epoch milliseconds. */
  now: number;
  /** Epoch milliseconds from which on the turn counts as dead: the session does not expire before. */
  until: number;
  /** Turns that died: they are no longer under way, and the messages that they have left count. */
  dead: readonly DeadTurn[];
}

export interface DeadTurn {
  answer: string;
  /** Messages of it that are stored and not in `message_count`. */
  messages: number;
}

/** What a running turn has said so far. */
export interface LiveText {
  text: string;
  model: string;
}

/** Turns under way, in the partition of their session. */
export interface TurnStore {
  /**
   * Stores the question and marks the turn as under way, all or nothing. `stale`: the header is not as it was read. `present`: the
   * question is there already, from an attempt at this turn that broke off.
   */
  begin(request: BeginRequest): Promise<"begun" | "stale" | "present">;
  /** Stores the answer; false when one is there already. */
  save(turn: TurnId, answer: MessageRecord): Promise<boolean>;
  /**
   * Ends the turn: its messages count, and the session is idle from now on. False when the header is not as it was read or the turn
   * is not under way.
   */
  close(turn: TurnId, record: SessionRecord, messages: number, now: number): Promise<boolean>;
  /** A message by its id, which says when the turn began. Strongly consistent. */
  find(session: SessionId, generation: number, id: string): Promise<MessageRecord | null>;
  /** Deletes an answer that was stored beside a reset. */
  discard(turn: TurnId): Promise<void>;
  saveText(turn: TurnId, text: LiveText, now: number): Promise<void>;
  findText(turn: TurnId): Promise<LiveText | null>;
}

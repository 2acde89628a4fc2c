import type { MessageRecord } from "../session/message.ts";
import type { Role } from "../session/schema.ts";
import type { SessionId } from "../session/session.ts";
import { isOn, type Path } from "../session/tree.ts";

/** A message of the user's history, or a part of a long one, as the API shows it. */
export interface Memory {
  /** UUIDv7 of the message's time: a function of the session's life, the message and the part. */
  id: string;
  session_id: string;
  message_id: string;
  role: Role;
  /** The speaker, if the message names one. */
  name?: string;
  content: string;
  /** ISO 8601. */
  created_at: string;
  /** Higher is better; comparable within one search only. */
  score?: number;
}

export interface RecallQuery {
  text: string;
  /** Only memories of this session. */
  session_id?: string | undefined;
  /** ISO 8601; inclusive. */
  from?: string | undefined;
  /** ISO 8601; exclusive. */
  to?: string | undefined;
  limit: number;
}

/** A memory with the branch of its message. Absent = 0. */
export type BranchMemory = Memory & { branch?: number };

/** Finds the memories of a user that say something about a text, best first. */
export type Recall<M = Memory> = (user: string, query: RecallQuery) => Promise<M[]>;

/** A captured message. */
export interface Captured {
  session: SessionId;
  generation: number;
  message: MessageRecord;
}

/** A memory as it is stored, without its vectors. */
export interface MemoryRecord extends Omit<BranchMemory, "score"> {
  user_id: string;
  /** Epoch milliseconds at which the message was captured. */
  arrived: number;
  /** Generation of the session's messages that the memory was made from. */
  generation: number;
  /** Position among the memories of its session: neighbours have consecutive numbers. */
  turn: number;
  /** Terms, including those of speaker and date. */
  counts: ReadonlyMap<string, number>;
}

/** A memory that is not yet embedded and has no position among its neighbours. */
export type Draft = Omit<MemoryRecord, "turn">;

/** A memory that a search of the index has returned. */
export type Candidate = MemoryRecord & {
  /** A name, or a role. */
  speaker: string;
  /** Whether it ends with a question. */
  asks: boolean;
};

/** What identifies a stored memory. */
export interface MemoryKey {
  session: SessionId;
  id: string;
}

export function keyOf({ user_id, session_id, id }: Pick<MemoryRecord, "user_id" | "session_id" | "id">): MemoryKey {
  return {
    session: { user: user_id, id: session_id },
    id,
  };
}

/** The beginning of the ids of memories of this time (ISO 8601). */
export function timePrefix(created_at: string): string {
  const time = Date.parse(created_at).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-`;
}

export function speakerOf({ name, role }: Pick<MemoryRecord, "name" | "role">): string {
  return name ?? role;
}

/**
 * Whether the message of a memory is on a path of its session. Of messages with ids that clients chose and with the time of a fork, it
 * does not know the order.
 */
export function isOnPath(path: Path, { message_id, created_at, branch = 0 }: BranchMemory): boolean {
  return isOn(path, { id: message_id, created_at, branch });
}

/** The memory as the API shows it. */
export function toMemory(
  { id, session_id, message_id, role, name, content, created_at }: MemoryRecord,
  score?: number,
): Memory {
  return {
    id,
    session_id,
    message_id,
    role,
    ...(name === undefined ? {} : { name }),
    content,
    created_at,
    ...(score === undefined ? {} : { score: Math.round(score * 1e4) / 1e4 }),
  };
}

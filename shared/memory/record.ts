import type { MessageRecord } from "../session/message.ts";
import type { SessionId } from "../session/session.ts";
import type { Memory } from "./memory.ts";

/** A message as it was captured. */
export interface Captured {
  session: SessionId;
  generation: number;
  message: MessageRecord;
}

/** A memory as it is stored, less its vectors. */
export interface MemoryRecord extends Omit<Memory, "score"> {
  user_id: string;
  /** Epoch milliseconds at which the message was captured. */
  arrived: number;
  /** Generation of the session's messages that it was made from. */
  generation: number;
  /** Its place among the memories of its session, so that neighbours know each other. */
  turn: number;
  /** Terms with speaker and date. */
  counts: ReadonlyMap<string, number>;
}

/** A memory that is still to be embedded and placed among its neighbours. */
export type Draft = Omit<MemoryRecord, "turn">;

/** A memory as a search of the index brings it back. */
export type Candidate = MemoryRecord & {
  /** Who said it: a name, or a role. */
  speaker: string;
  /** It ends with a question. */
  asks: boolean;
};

export const sessionOf = ({ user_id, session_id }: Pick<MemoryRecord, "user_id" | "session_id">): SessionId => ({
  user: user_id,
  id: session_id,
});

export const speakerOf = ({ name, role }: Pick<MemoryRecord, "name" | "role">): string => name ?? role;

/** Whether a text ends with a question. */
export const asksSomething = (content: string): boolean => /[?？؟][\s"'”’)\]]*$/u.test(content);

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

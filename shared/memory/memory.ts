import type { Role } from "../session/schema.ts";

/** Something that was said and is worth coming back to: one message of the user's history. */
export interface Memory {
  /** UUIDv7 by when it was said: a function of the session's life, of the message and of the place in it. */
  id: string;
  session_id: string;
  message_id: string;
  role: Role;
  /** The speaker, if the message names one. */
  name?: string;
  content: string;
  /** ISO 8601; when it was said. */
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

/** Finds what a user said, or was told, about something; best first. Never another user's. */
export type Recall = (user: string, query: RecallQuery) => Promise<Memory[]>;

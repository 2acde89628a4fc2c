import type { Role } from "../../../shared/session/schema.ts";

/** A conversation as its source tells it, whatever the format was: valid in shape, not yet fitted to the API. */
export interface Conversation {
  /** The source's own id; any text. */
  id: string;
  title?: string;
  /** Epoch milliseconds. */
  startedAt?: number;
  messages: SourceMessage[];
}

export interface SourceMessage {
  role: Role;
  content: string;
  /** The speaker. */
  name?: string;
  /** Epoch milliseconds; absent when the source does not say. */
  at?: number;
  metadata?: Record<string, unknown>;
}

import type { Role } from "../../../shared/session/schema.ts";

/** A conversation in the words of its source: its shape is valid, and `planSession` makes it fit the API's rules. */
export interface Conversation {
  /** The source's id; any text. */
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
  /** Epoch milliseconds; absent when the source has no time. */
  at?: number;
  metadata?: Record<string, unknown>;
}

/** A record that cannot be imported. The import reports it with its place and this reason, counts it and skips it. */
export class BadRecord extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "BadRecord";
  }
}

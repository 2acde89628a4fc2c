/** Every action that leaves a record: the kind of data, and what is done to it. */
export const auditActions = [
  "act_as",
  "audit.read",
  "erasure.create",
  "export.create",
  "file.delete",
  "memory.delete",
  "memory.delete_all",
  "message.delete",
  "metrics.read",
  "report.read",
  "session.delete",
  "session.expire_idle",
  "session.reset",
  "state.read",
] as const;

export type AuditAction = (typeof auditActions)[number];

/** What a request leaves before it acts. It names people, so it is deleted as soon as its record is written. */
export interface AuditNote {
  /** UUIDv7, of the time `at`. */
  id: string;
  /** ISO 8601. */
  at: string;
  /** The `sub` of the token. */
  actor: string;
  action: AuditAction;
  /** The user whose data it is about; absent = no single user's. */
  subject?: string;
  request_id: string;
}

/** A record of who did what to whose data. It holds no content, and stands for people by keyed hashes, as the lake does. */
export interface AuditRecord extends Omit<AuditNote, "actor" | "subject"> {
  actor: string;
  subject: string | null;
}

export interface AuditQuery {
  /** ISO 8601; inclusive. */
  from?: string | undefined;
  /** ISO 8601; exclusive. */
  to?: string | undefined;
  action?: AuditAction | undefined;
  /** Hash of a user. */
  subject?: string | undefined;
  limit: number;
  /** Id after which the list continues. */
  after?: string | undefined;
  /** Epoch milliseconds. */
  now: number;
}

/** Keeps the notes of requests until their records are written. */
export interface AuditOutbox {
  /** Stores a note, once. Throws `unavailable`, and then the request must not act. */
  leave(note: AuditNote): Promise<void>;
}

/** The records. There is no way to change or to delete one. */
export interface AuditStore {
  /** Stores a record; a repeat changes nothing. */
  add(record: AuditRecord): Promise<void>;
  /** A page of records, the newest first. */
  list(query: AuditQuery): Promise<{ records: AuditRecord[]; more: boolean }>;
  /** Yields the records of a day (as in 2026-11-21), page by page. */
  ofDay(day: string): AsyncIterable<AuditRecord[]>;
}

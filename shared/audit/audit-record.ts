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

/** The note that a request stores before an audited action. It names people, so the job deletes it when the record is written. */
export interface AuditNote {
  /** UUIDv7, of the time `at`. */
  id: string;
  /** ISO 8601. */
  at: string;
  /** The `sub` of the token. */
  actor: string;
  action: AuditAction;
  /** The user whose data the action is about; absent = no single user. */
  subject?: string;
  request_id: string;
}

/** A record of who did what to whose data. It has no content, and keyed hashes instead of people, as in the lake. */
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
  /** The last id of the previous page. */
  after?: string | undefined;
  /** Epoch milliseconds. */
  now: number;
}

/** Stores the notes of requests until their records are written. */
export interface AuditOutbox {
  /** Stores a note once. If it throws `unavailable`, the request must do nothing. */
  leave(note: AuditNote): Promise<void>;
}

/** Stores audit records. No method changes or deletes one. */
export interface AuditStore {
  /** Stores a record; a repeat changes nothing. */
  add(record: AuditRecord): Promise<void>;
  /** Lists a page of records, the newest first. */
  list(query: AuditQuery): Promise<{ records: AuditRecord[]; more: boolean }>;
  /** Yields the records of a day (as in 2026-11-21), page by page. */
  ofDay(day: string): AsyncIterable<AuditRecord[]>;
}

import { analyticsRows } from "./analytics-rows.ts";
import { DAY, type RetentionRule } from "./rule.ts";

const ARCHIVE_SECONDS = 365 * DAY;

/**
 * The retention of every record. Item TTLs, S3 lifecycle rules and `docs/retention.md` are derived from this table; a test fails when
 * something that is stored has no row here. A deployment can choose other periods (`periods.ts`), so read a period where it is used, not
 * when a file is loaded.
 */
export const retention = {
  session: {
    record: "session header",
    place: { item: "header" },
    seconds: 7 * DAY,
    note: "From the last activity (sliding). A session can set its own time, and a pinned session has none. Then it is archived, or deleted if it is incognito.",
  },
  message: {
    record: "message",
    place: { item: "message" },
    seconds: null,
    note: "Deleted by the archiver when its session is archived, or with its session.",
  },
  messageId: {
    record: "message id chosen by a client",
    place: { item: "message-id" },
    seconds: null,
    note: "Deleted with its message.",
  },
  tree: {
    record: "branches of a session",
    place: { item: "tree" },
    seconds: null,
    note: "One item per session that has branched; ids of messages, no content. Deleted with its messages.",
  },
  anchor: {
    record: "session anchor",
    place: { item: "anchor" },
    seconds: null,
    note: "The reconciler finds sessions by it. Deleted with the archived stub.",
  },
  tombstone: {
    record: "tombstone of a deleted session",
    place: { item: "tombstone" },
    seconds: null,
    note: "Lists what a deleted session may have left when its id is used again. No content. Deleted after the second purge, an hour later.",
  },
  stub: {
    record: "archived stub",
    place: { item: "stub" },
    seconds: ARCHIVE_SECONDS,
    sameAs: "archive",
    note: "From the day of archiving, like the object that it refers to.",
  },
  archive: {
    record: "archived session",
    place: { object: "archive/" },
    seconds: ARCHIVE_SECONDS,
    coldAfterSeconds: 30 * DAY,
    notShorterThan: ["session", "lakeMessages"],
    note: "One object per session.",
  },
  idempotency: {
    record: "idempotency record",
    place: { item: "idempotency" },
    seconds: DAY,
    least: 600,
    note: "A repeated POST returns the first answer during this time. Ten minutes for retries that an SDK makes by itself. Holds ids and times, no content.",
  },
  writeProbe: {
    record: "test write of GET /health",
    place: { item: "write-probe" },
    seconds: DAY,
    note: "One item in all, which each check replaces. It shows whether the table accepts writes.",
  },
  liveText: {
    record: "text of a running turn",
    place: { item: "live-text" },
    seconds: 900,
    least: 300,
    note: "Written during a long answer, for clients that reconnect. Also deleted with its session.",
  },
  limits: {
    record: "usage of a user per day",
    place: { item: "limits" },
    seconds: 2 * DAY,
    least: 2 * DAY,
    note: "Rate limits and token budgets count with it. One item per user.",
  },
  person: {
    record: "choices of a user, and a running erasure",
    place: { item: "person" },
    seconds: null,
    note: "One item per user who has switched memory off, or whose data is being erased. Deleted at the end of an erasure.",
  },
  erasureReceipt: {
    record: "receipt of an erasure",
    place: { item: "erasure-receipt" },
    seconds: 400 * DAY,
    least: 30 * DAY,
    note: "Counts per store, signed. The user is a keyed hash.",
  },
  openErasure: {
    record: "erasure that is not over",
    place: { item: "open-erasure" },
    seconds: null,
    note: "Names the user. Deleted an hour after the request, when no signed URL can upload a file any more.",
  },
  provider: {
    record: "state of a model provider",
    place: { item: "provider" },
    seconds: DAY,
    note: "Circuit breaker and queue. Two items per provider.",
  },
  file: {
    record: "content of a file",
    place: { object: "files/" },
    seconds: null,
    coldAfterSeconds: 30 * DAY,
    note: "Deleted with its session, or when a client deletes the file.",
  },
  fileRecord: {
    record: "name, type and size of a file that a message names",
    place: { item: "file" },
    seconds: null,
    note: "Deleted with its session, archived or not, or when a client deletes the file.",
  },
  unusedFile: {
    record: "file that no message names, or that was deleted",
    place: { item: "unused-file" },
    seconds: DAY,
    least: 2 * 3600,
    note: "Its content is deleted with it. Of a deleted file only the id stays, because an upload may still arrive.",
  },
  fileUse: {
    record: "use of a file by a message",
    place: { item: "file-use" },
    seconds: null,
    note: "Ids only. Deleted with its message or session.",
  },
  export: {
    record: "export of a user's data",
    place: { object: "exports/" },
    seconds: 7 * DAY,
    versionSeconds: DAY,
    note: "A zip with everything of one user. Its older versions are deleted after a day.",
  },
  exportRecord: {
    record: "state of an export",
    place: { item: "export" },
    seconds: 7 * DAY,
    sameAs: "export",
    note: "One item per export: status, size, checksum and counts. No content.",
  },
  latestExport: {
    record: "name of a user's latest export",
    place: { item: "latest-export" },
    seconds: 7 * DAY,
    sameAs: "export",
    note: "One item per user, so that one export runs at a time.",
  },
  auditNote: {
    record: "note of a request that will have an audit record",
    place: { item: "audit-note" },
    seconds: 14 * DAY,
    least: DAY,
    note: "Deleted as soon as the record is written, usually within seconds. Names the token's user and the user whose data it is about.",
  },
  audit: {
    record: "audit record",
    place: { item: "audit" },
    seconds: 400 * DAY,
    least: 30 * DAY,
    note: "Who did what to whose data: keyed hashes of users, no content. Nothing changes or deletes it before.",
  },
  memory: {
    record: "memory: text, vector and terms",
    place: { item: "memory" },
    seconds: null,
    note: "Deleted with its session, archived or not.",
  },
  forgottenMemory: {
    record: "id of a forgotten memory",
    place: { item: "forgotten-memory" },
    seconds: null,
    note: "Prevents that its message becomes a memory again. No content. Deleted with its session.",
  },
  memorySummary: {
    record: "term statistics of a user's memories",
    place: { item: "memory-summary" },
    seconds: null,
    note: "One item per user: counts by hash. Stays after the user has forgotten everything, because it holds the time of that.",
  },
  emptyMemorySummary: {
    record: "term statistics of a user without memories",
    place: { item: "empty-memory-summary" },
    seconds: 3600,
    least: 3600,
    note: "Lists what was forgotten last, because an index may still hold it. No content.",
  },
  memoryLayout: {
    record: "layout of the vectors of memories",
    place: { item: "memory-layout" },
    seconds: null,
    note: "One item. It says which index holds vectors of which model.",
  },
  counter: {
    record: "counter of active sessions",
    place: { item: "counter" },
    seconds: null,
    note: "A fixed number of items.",
  },
  ...analyticsRows,
} as const satisfies Record<string, RetentionRule>;

/** Retention of operational data that has no row in the table above, in seconds. */
export const upkeep = {
  /** Point-in-time recovery of the tables, and S3 versions that were overwritten or deleted: for operators to undo mistakes. */
  recovery: 7 * DAY,
  /** Events that failed after all retries and wait for a redrive. */
  deadLetters: 14 * DAY,
  /** Results of Athena queries. They contain conversations. */
  queryResults: 7 * DAY,
  /** Server access logs of the buckets. */
  accessLogs: 90 * DAY,
} as const;

/** Seconds in a day. */
export const DAY = 86_400;

/** The parts of the store that keep things. `object` prefixes are S3 keys in the archive bucket. */
type Place = { item: string } | { object: string };

export interface RetentionRule {
  /** What it is, in the words of the documentation. */
  record: string;
  /** Where it is kept: the kind of an item (see `shared/dynamodb/keys.ts`, `shared/metrics/keys.ts`) or an S3 key prefix. */
  place: Place;
  /** Seconds until it is deleted, counted from the last write of the record; `null` = never by age. */
  seconds: number | null;
  /** Seconds until it moves to a colder storage class (S3 objects only). */
  coldAfterSeconds?: number;
  /** Why, or what deletes it when age does not. */
  note: string;
}

const ARCHIVE_SECONDS = 365 * DAY;

/**
 * How long anything lives: the only place that says so. Item TTLs, S3 lifecycle rules and the table in
 * the README are derived from it; a test fails when something stored has no row here.
 */
export const retention = {
  session: {
    record: "session header",
    place: { item: "header" },
    seconds: 7 * DAY,
    note: "After the last activity (sliding); a session may set its own, a pinned one has none. Then the archive.",
  },
  message: {
    record: "message",
    place: { item: "message" },
    seconds: null,
    note: "Deleted by the archiver once its session is archived, and with its session.",
  },
  messageId: {
    record: "message id chosen by a client",
    place: { item: "message-id" },
    seconds: null,
    note: "Lives and dies with its message.",
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
    note: "What the reconciler finds a session by; deleted with the archived stub.",
  },
  tombstone: {
    record: "tombstone of a deleted session",
    place: { item: "tombstone" },
    seconds: null,
    note: "Names what a deleted session may have left, when its id is in use again; no content. Deleted after the second purge, an hour later.",
  },
  stub: {
    record: "archived stub",
    place: { item: "stub" },
    seconds: ARCHIVE_SECONDS,
    note: "From the day of archiving, as the object it points to.",
  },
  idempotency: {
    record: "idempotency record",
    place: { item: "idempotency" },
    seconds: DAY,
    note: "A repeated POST gives the first answer for this long. Holds ids and times, no content.",
  },
  writeProbe: {
    record: "trial write of /health",
    place: { item: "write-probe" },
    seconds: DAY,
    note: "One item for all, replaced by the next one: whether the table takes writes.",
  },
  liveText: {
    record: "text of a running turn",
    place: { item: "live-text" },
    seconds: 900,
    note: "Written while a long answer runs, for clients that come back to it; deleted with its session as well.",
  },
  limits: {
    record: "usage of a user's day",
    place: { item: "limits" },
    seconds: 2 * DAY,
    note: "What rate limits and token budgets are enforced with; one item a user.",
  },
  provider: {
    record: "state of a model provider",
    place: { item: "provider" },
    seconds: DAY,
    note: "Circuit breaker and queue; two items a provider.",
  },
  file: {
    record: "content of a file",
    place: { object: "files/" },
    seconds: null,
    coldAfterSeconds: 30 * DAY,
    note: "Deleted with its session, or when a client deletes the file; Glacier Instant Retrieval from day 30.",
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
    note: "Its content is deleted with it. A deleted file leaves its id alone, because an upload may still arrive.",
  },
  fileUse: {
    record: "use of a file by a message",
    place: { item: "file-use" },
    seconds: null,
    note: "Ids only. Deleted with its message or session.",
  },
  memory: {
    record: "memory: what was said, its vector and its terms",
    place: { item: "memory" },
    seconds: null,
    note: "Lives as long as its session, archived or not, and is deleted with it.",
  },
  forgottenMemory: {
    record: "name of a memory that was forgotten",
    place: { item: "forgotten-memory" },
    seconds: null,
    note: "Keeps its message from becoming a memory again; no content. Deleted with its session.",
  },
  memorySummary: {
    record: "term statistics of a user's memories",
    place: { item: "memory-summary" },
    seconds: null,
    note: "One item per user, counts by hash. Stays when the user had everything forgotten, to say since when.",
  },
  emptyMemorySummary: {
    record: "term statistics of a user without memories",
    place: { item: "empty-memory-summary" },
    seconds: 3600,
    note: "Names what was forgotten last, because an index may still hold it; no content.",
  },
  memoryLayout: {
    record: "layout of the memories' vectors",
    place: { item: "memory-layout" },
    seconds: null,
    note: "One item: which index holds vectors of which model.",
  },
  counter: {
    record: "counter of active sessions",
    place: { item: "counter" },
    seconds: null,
    note: "A fixed number of items.",
  },
  rawMetric: {
    record: "raw performance metric",
    place: { item: "raw-metric" },
    seconds: 30 * DAY,
    note: "One item a request, LLM, embedding or search call; folded into hourly aggregates.",
  },
  hourlyAggregate: {
    record: "hourly aggregate",
    place: { item: "hourly-aggregate" },
    seconds: 90 * DAY,
    note: "From the start of its hour; folded into daily aggregates.",
  },
  dailyAggregate: {
    record: "daily aggregate",
    place: { item: "daily-aggregate" },
    seconds: 365 * DAY,
    note: "From the start of its day; folded into monthly aggregates.",
  },
  monthlyAggregate: {
    record: "monthly aggregate",
    place: { item: "monthly-aggregate" },
    seconds: null,
    note: "A bounded number a month.",
  },
  event: {
    record: "event (feedback, conversion, engagement, content, custom)",
    place: { item: "event" },
    seconds: 365 * DAY,
    note: "In the lake since the day after; one that is not there yet lives until it is. Its counts and values stay in the aggregates.",
  },
  jobState: {
    record: "what a job has done last",
    place: { item: "job" },
    seconds: null,
    note: "One item a job: its checkpoint and its last success.",
  },
  archive: {
    record: "archived session",
    place: { object: "archive/" },
    seconds: ARCHIVE_SECONDS,
    coldAfterSeconds: 30 * DAY,
    note: "One object a session; Glacier Instant Retrieval from day 30.",
  },
  lakeDay: {
    record: "mark of a day that the lake has to build",
    place: { item: "lake-day" },
    seconds: null,
    note: "One a day at most; deleted once the day is built and nothing of it has an age to reach.",
  },
  lakeMessages: {
    record: "interactions (lake messages)",
    place: { object: "lake/messages/" },
    seconds: 180 * DAY,
    note: "Rebuilt from the archive at any time.",
  },
  lakeSessions: {
    record: "session summaries (lake)",
    place: { object: "lake/session_summaries/" },
    seconds: 730 * DAY,
    note: "Counts, durations and costs; no text. They outlive their archive objects, unless their day is built again then.",
  },
  lakeEvents: {
    record: "events (lake)",
    place: { object: "lake/events/" },
    seconds: 730 * DAY,
    note: "Exported each day, a year before they expire in the table.",
  },
  lakeAggregates: {
    record: "daily aggregates (lake)",
    place: { object: "lake/aggregates/" },
    seconds: null,
    note: "Numbers of the system; nothing of anybody's.",
  },
  report: {
    record: "monthly business report",
    place: { object: "reports/" },
    seconds: null,
    note: "A JSON document and an HTML page a month.",
  },
} as const satisfies Record<string, RetentionRule>;

/** How long the leftovers of running the system live, in seconds: what no record above stands for. */
export const upkeep = {
  /** Restoring the table to a point in time, and S3 versions that were overwritten or deleted: the undo of operators. */
  recovery: 7 * DAY,
  /** Records that failed for good and wait for a redrive. */
  deadLetters: 14 * DAY,
  /** Results of Athena queries: they hold conversations. */
  queryResults: 7 * DAY,
  /** Server access logs of the buckets. */
  accessLogs: 90 * DAY,
} as const;

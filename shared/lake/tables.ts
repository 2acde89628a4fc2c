/** Types that Parquet, Athena and DuckDB have in common. `timestamp` is UTC, to the millisecond. */
export type ColumnType = "string" | "int" | "double" | "boolean" | "timestamp";

export interface Column {
  name: string;
  type: ColumnType;
  /** Meaning and unit, as shown in the Glue catalog and in `docs/analysts.md`. */
  comment: string;
  /** Whether the column has content of messages, which the option `lakeContent` redacts or removes. */
  content?: true;
  /** Whether the column has a Bloom filter, because queries look for values in it and files are not sorted by it. */
  lookup?: true;
}

const whose = [
  { name: "user_hash", type: "string", comment: "the user, as a keyed hash of the id: 32 hexadecimal digits" },
  {
    name: "session_key",
    type: "string",
    comment: "the session, unique among all users: 32 hexadecimal digits; join tables by this column",
  },
  {
    name: "session_id",
    type: "string",
    comment: "the session's id in the API; two users may have chosen the same",
    lookup: true,
  },
] as const satisfies Column[];

/**
 * The tables of the lake, with their columns in the order of the files. Every table also has the partition column `dt`: the day on which
 * the session was created, or on which the event or request came (UTC), as text like 2026-11-21.
 */
export const tables = {
  messages: {
    comment: "One row per message of an archived session, sorted by user, session and time",
    columns: [
      ...whose,
      { name: "message_id", type: "string", comment: "unique in its session" },
      { name: "parent_id", type: "string", comment: "the message before it on its branch; null = none" },
      { name: "is_current", type: "boolean", comment: "whether it is on the session's current branch" },
      { name: "position", type: "int", comment: "place in the session, from 0" },
      { name: "role", type: "string", comment: "system, user, assistant or tool" },
      { name: "name", type: "string", comment: "the speaker, if named", content: true },
      { name: "content", type: "string", comment: "the text", content: true },
      { name: "parts", type: "string", comment: "its parts as JSON; null = a single text", content: true },
      { name: "content_chars", type: "int", comment: "length of the text in characters" },
      { name: "created_at", type: "timestamp", comment: "when it was said, UTC" },
      { name: "model", type: "string", comment: "the model that wrote it" },
      { name: "input_tokens", type: "int", comment: "tokens of the prompt that it answers" },
      {
        name: "cached_input_tokens",
        type: "int",
        comment: "tokens of the prompt that the provider read from its cache; null = none, or not known",
      },
      { name: "output_tokens", type: "int", comment: "tokens of the answer" },
      { name: "cost_usd", type: "double", comment: "US dollars, with the model's price at the time of the answer" },
      {
        name: "status",
        type: "string",
        comment: "complete, incomplete when the provider failed, or stopped by the client",
      },
      { name: "latency_ms", type: "int", comment: "milliseconds from the question to the end of the answer" },
      { name: "metadata", type: "string", comment: "what the client attached, as JSON", content: true },
    ],
  },
  session_summaries: {
    comment: "One row per archived session: counts, durations, tokens, cost; no text",
    columns: [
      ...whose,
      { name: "generation", type: "int", comment: "grows each time the session is restored or reset" },
      { name: "created_at", type: "timestamp", comment: "when the session was created, UTC" },
      { name: "first_message_at", type: "timestamp", comment: "UTC; null without messages" },
      { name: "last_message_at", type: "timestamp", comment: "UTC; null without messages" },
      { name: "archived_at", type: "timestamp", comment: "when the session was archived, UTC" },
      { name: "duration_seconds", type: "double", comment: "seconds from the first message to the last" },
      { name: "message_count", type: "int", comment: "messages of all roles" },
      { name: "user_messages", type: "int", comment: "messages of the user" },
      { name: "assistant_messages", type: "int", comment: "messages of the assistant" },
      { name: "content_chars", type: "int", comment: "characters of all messages" },
      { name: "input_tokens", type: "int", comment: "tokens of all prompts" },
      { name: "output_tokens", type: "int", comment: "tokens of all answers" },
      { name: "cost_usd", type: "double", comment: "US dollars, as in messages" },
      { name: "pinned", type: "boolean", comment: "whether it was pinned" },
      { name: "ttl_seconds", type: "int", comment: "seconds of idleness after which it expired" },
    ],
  },
  events: {
    comment: "One row per event that clients reported; `dt` is the day on which it came",
    columns: [
      { name: "event_id", type: "string", comment: "unique" },
      { name: "type", type: "string", comment: "feedback, conversion, engagement, content or custom" },
      { name: "name", type: "string", comment: "the name of the event within its type" },
      { name: "user_hash", type: "string", comment: "the user, as in messages" },
      { name: "session_id", type: "string", comment: "the session that it is about, as in messages", lookup: true },
      { name: "message_id", type: "string", comment: "the message that it is about, as in messages" },
      { name: "value", type: "double", comment: "feedback: above 0 = satisfied; conversion: its worth" },
      { name: "created_at", type: "timestamp", comment: "when it came, UTC" },
      { name: "metadata", type: "string", comment: "what the client attached, as JSON", content: true },
    ],
  },
  audit: {
    comment: "One row per audit record: who did what to whose data; `dt` is the day on which it happened",
    columns: [
      { name: "audit_id", type: "string", comment: "unique; as in GET /v1/audit" },
      { name: "actor_hash", type: "string", comment: "the user of the token, as in messages" },
      { name: "action", type: "string", comment: "what was done, such as session.delete" },
      {
        name: "subject_hash",
        type: "string",
        comment: "the user whose data it is about, as in messages; null = no single user",
      },
      { name: "request_id", type: "string", comment: "the x-request-id of the answer" },
      { name: "at", type: "timestamp", comment: "when, UTC" },
    ],
  },
  aggregates: {
    comment: "One row per series, dimensions and day: requests, calls and events; `dt` is that day",
    columns: [
      {
        name: "series",
        type: "string",
        comment: "as in GET /v1/metrics; api.request has milliseconds, the other names contain their unit",
      },
      { name: "route", type: "string", comment: "method and path" },
      { name: "status", type: "string", comment: "class of the answer: 2xx, 4xx, 5xx" },
      { name: "plan", type: "string", comment: "the user's plan" },
      { name: "model", type: "string", comment: "the model that was called" },
      { name: "event", type: "string", comment: "name of the event" },
      { name: "count", type: "int", comment: "number of values" },
      { name: "errors", type: "int", comment: "values that are failures" },
      { name: "sum", type: "double", comment: "sum of all values" },
      { name: "min", type: "double", comment: "smallest value" },
      { name: "max", type: "double", comment: "largest value" },
      { name: "p50", type: "double", comment: "median, within 0.5 %" },
      { name: "p95", type: "double", comment: "95 % are not above it, within 0.5 %" },
      { name: "p99", type: "double", comment: "99 % are not above it, within 0.5 %" },
      { name: "users", type: "int", comment: "number of different users; only in the series api.users" },
    ],
  },
} as const satisfies Record<string, { comment: string; columns: readonly Column[] }>;

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];

/** The tables that are built from the archive. The others are exported from the table `metrics`. */
export type ArchiveTable = "messages" | "session_summaries";
export const archiveTables: readonly ArchiveTable[] = ["messages", "session_summaries"];

interface Values {
  string: string;
  int: number;
  double: number;
  boolean: boolean;
  /** Epoch milliseconds. */
  timestamp: number;
}

/** A row of a table. `null` means that there is no value. */
export type Row<T extends TableName> = {
  [C in (typeof tables)[T]["columns"][number] as C["name"]]: Values[C["type"]] | null;
};

/**
 * The key of a partition's object. A partition is one object of any size, and its key never changes, because S3 replaces one object
 * atomically but not several, and readers find partitions by the calendar. Readers can still read single row groups.
 */
export function partitionKey(table: TableName, day: string): string {
  return `lake/${table}/dt=${day}/${table}.parquet`;
}

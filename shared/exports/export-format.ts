import type { Event } from "../events/event.ts";
import type { MessagePart } from "../session/parts.ts";
import type { Message, Session } from "../session/schema.ts";

/**
 * The format of an export: a zip. JSON Lines of one kind are in numbered files, which are one text in the order of their names.
 *
 *   sessions-000001.jsonl, …       a `SessionLine`, then its `MessageLine`s; sessions in the order of their ids
 *   files-000001.jsonl, …          `FileLine`s, the newest first
 *   files/<id>…                    the contents of the files, at the `path` of their lines
 *   memories-000001.jsonl, …       memories as `GET /v1/memories` lists them. They are made from messages, so an import makes them again
 *   events-000001.jsonl, …         events as `POST /v1/events` answers them, the oldest first
 *   states-000001.jsonl, …         `StateLine`s and `GivenLine`s, in the order of the sessions
 *   conversations-000001.html, …   the sessions for people to read
 *   usage.json                     the requests, tokens and cost of today
 *   settings.json                  as in `GET /v1/settings`. An import switches memory off if it is off here
 *   manifest.json                  a `Manifest`
 *
 * The lines of sessions hold only fields that a client can store again, so the same sessions give the same bytes. An import sends the
 * messages of a session in their order with all fields, and then sets `head_id`. Fields that only the service sets are in `states-*.jsonl`.
 */
export const FORMAT = { format: "memocha-export", version: 1 } as const;

export const MANIFEST = "manifest.json";
export const SETTINGS = "settings.json";

/** The kinds of numbered files. */
export type Series = "sessions" | "files" | "memories" | "events" | "states" | "conversations";

export const isSeries = (name: string, series: Series): boolean =>
  name.startsWith(`${series}-`) && name.endsWith(series === "conversations" ? ".html" : ".jsonl");

export function seriesName(series: Series, n: number): string {
  return `${series}-${String(n).padStart(6, "0")}.${series === "conversations" ? "html" : "jsonl"}`;
}

export type SessionLine = { type: "session" } & Pick<
  Session,
  "id" | "title" | "created_at" | "ttl_seconds" | "pinned" | "incognito" | "head_id" | "metadata"
>;

/** A message of the nearest session above it. Its parent, if it has one, has an earlier line. */
export type MessageLine = { type: "message" } & Omit<Message, "session_id" | "memory_ids">;

/** The fields of a session that only the service sets. An import ignores them. */
type StateLine = Pick<Session, "id" | "status" | "updated_at" | "expires_at" | "archived_at" | "message_count">;

/** The memories that the model got for an answer. An import ignores them, because the server makes new memories with other ids. */
interface GivenLine {
  session_id: string;
  message_id: string;
  memory_ids: string[];
}

export interface FileLine {
  /** The `file_id` in parts of messages. */
  id: string;
  filename: string;
  media_type: string;
  bytes: number;
  sha256?: string;
  created_at: string;
  /** The session whose messages name it. */
  session_id?: string;
  /** The content's path in the zip. The content is missing if the file was deleted during the export. */
  path: string;
}

export interface Counts {
  sessions: number;
  messages: number;
  memories: number;
  events: number;
  files: number;
}

export interface Manifest {
  format: (typeof FORMAT)["format"];
  version: number;
  /** Id and time of the export. */
  id: string;
  created_at: string;
  user_id: string;
  counts: Counts;
  /** Every other file in the zip. `sha256` is in hex. */
  entries: { path: string; bytes: number; sha256: string }[];
}

export function toSessionLine(session: Session): SessionLine {
  const { id, title, created_at, ttl_seconds, pinned, incognito, head_id, metadata } = session;
  return {
    type: "session",
    id,
    title,
    created_at,
    ttl_seconds,
    pinned,
    ...(incognito && { incognito }),
    head_id,
    metadata,
  };
}

/** @param message a result of `toMessage`, whose fields always have the same order */
export function toMessageLine({ session_id: _, memory_ids: _given, parts, usage, ...message }: Message): MessageLine {
  return {
    type: "message",
    ...message,
    ...(parts && { parts: parts.map(toOrderedPart) }),
    ...(usage && { usage: inOrder(usage, ["input_tokens", "cached_input_tokens", "output_tokens", "cost_usd"]) }),
  };
}

export function toStateLine(session: Session): StateLine {
  const { id, status, updated_at, expires_at, archived_at, message_count } = session;
  return { id, status, updated_at, expires_at, ...(archived_at && { archived_at }), message_count };
}

export function toGivenLine({ id, memory_ids, session_id }: Message): GivenLine | null {
  return memory_ids ? { session_id, message_id: id, memory_ids } : null;
}

/** Orders the fields of an event, because the store returns them in any order. */
export function toEventLine(event: Event): Event {
  return inOrder(event, ["id", "type", "session_id", "message_id", "value", "name", "metadata", "created_at"]);
}

/** Returns the path of a file's content: its id, and the end of its name with the characters that every file system accepts. */
export function contentPath({ id, filename }: { id: string; filename: string }): string {
  return `files/${id}-${filename.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(-80)}`;
}

/** The order of fields in parts. Parts of turns and parts of clients are stored with different orders. */
const PART_FIELDS = [
  "type",
  "text",
  "file_id",
  "media_type",
  "filename",
  "tool_call_id",
  "name",
  "input",
  "output",
  "is_error",
  "url",
  "title",
  "data",
] as const;

const toOrderedPart = (part: MessagePart): MessagePart => inOrder(part, PART_FIELDS);

/** Returns the value with only these fields, in this order. */
function inOrder<T extends object>(value: T, fields: readonly string[]): T {
  return Object.fromEntries(fields.flatMap((name) => (name in value ? [[name, value[name as keyof T]]] : []))) as T;
}

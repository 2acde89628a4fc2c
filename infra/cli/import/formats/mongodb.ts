import { BadRecord, type Conversation } from "../conversation.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";
import { readPlainRecord } from "./plain.ts";

/**
 * A collection of sessions as `mongoexport` writes it: JSON Lines or an array of documents `{_id, title?, messages: [{role, content,
 * timestamp}]}` in extended JSON. The fields may have other common names: see `NAMES`.
 */
export const mongodb: Format = {
  name: "MongoDB's mongoexport of sessions",
  recognises: (record) => "_id" in record && first(record, NAMES.messages) !== undefined,
  read: ([record = {}], source) => readDocument(fromExtendedJson(record) as JsonObject, source),
};

const NAMES = {
  session: ["sessionId", "session_id", "session", "conversationId", "conversation_id", "_id"],
  title: ["title", "name"],
  startedAt: ["createdAt", "created_at", "startedAt", "started_at", "timestamp"],
  messages: ["messages", "history", "conversation"],
  role: ["role", "sender", "author", "type"],
  content: ["content", "text", "message", "body"],
  at: ["timestamp", "createdAt", "created_at", "time", "ts", "date"],
} as const;

const ROLES: Record<string, string> = {
  human: "user",
  customer: "user",
  ai: "assistant",
  bot: "assistant",
  model: "assistant",
};

const first = (record: JsonObject, names: readonly string[]): unknown =>
  names.map((name) => record[name]).find((value) => value !== undefined && value !== null);

function readDocument(record: JsonObject, source: Source): Conversation {
  const messages = first(record, NAMES.messages);
  if (!Array.isArray(messages)) throw new BadRecord("messages: not an array");
  return readPlainRecord(
    {
      session: first(record, NAMES.session),
      title: first(record, NAMES.title),
      started_at: first(record, NAMES.startedAt),
      metadata: record.metadata,
      messages: messages.map((message) => {
        if (!isObject(message)) return message;
        const role = first(message, NAMES.role);
        const known = typeof role === "string" ? role.toLowerCase() : role;
        return {
          role: ROLES[String(known)] ?? known,
          content: first(message, NAMES.content),
          created_at: first(message, NAMES.at),
          name: message.name,
          id: message.id ?? message._id,
          metadata: message.metadata,
        };
      }),
    },
    source,
  );
}

/**
 * Turns MongoDB's extended JSON (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/) into plain JSON: ids become strings,
 * dates become ISO 8601 or milliseconds, numbers become numbers.
 */
export function fromExtendedJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromExtendedJson);
  if (!isObject(value)) return value;
  const keys = Object.keys(value);
  const [key = ""] = keys;
  if (keys.length !== 1 || !key.startsWith("$")) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fromExtendedJson(inner)]));
  }
  const inner = value[key];
  switch (key) {
    case "$oid":
    case "$uuid":
    case "$symbol":
      return inner;
    case "$date":
      return isObject(inner) ? Number(inner.$numberLong) : inner;
    case "$numberInt":
    case "$numberLong":
    case "$numberDouble":
    case "$numberDecimal":
      return Number(inner);
    default:
      return value;
  }
}

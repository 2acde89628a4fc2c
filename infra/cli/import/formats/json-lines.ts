import { BadRecord, type Conversation, type SourceMessage } from "../conversation.ts";
import { joinParts, readInstant, readRole } from "./fields.ts";

/**
 * Reads a record of the plain format: `{session, title?, started_at?, messages: [{role, content | text, name?,
 * created_at? | ts?, id?, metadata?}]}`. Ignores other fields.
 * @throws BadRecord naming the field.
 */
export function readPlainRecord(record: Record<string, unknown>): Conversation {
  const { session, title, started_at: startedAt, messages } = record;
  if (typeof session !== "number" && (typeof session !== "string" || session === "")) {
    throw new BadRecord("missing session: the conversation's id, a string");
  }
  if (!Array.isArray(messages)) throw new BadRecord("missing messages: an array");
  const at = readInstant(startedAt, "started_at");
  return {
    id: String(session),
    ...(typeof title === "string" && { title }),
    ...(at !== undefined && { startedAt: at }),
    messages: messages.map((message, index) => readMessage(message, `messages[${index}]`)),
  };
}

function readMessage(value: unknown, field: string): SourceMessage {
  if (typeof value !== "object" || value === null) throw new BadRecord(`${field}: not an object`);
  const message = value as Record<string, unknown>;
  const at = readInstant(message.created_at ?? message.ts, `${field}.${message.created_at ? "created_at" : "ts"}`);
  const metadata = readMetadata(message, field);
  return {
    role: readRole(message.role, field),
    content: readContent(message.content ?? message.text, field),
    ...(typeof message.name === "string" && { name: message.name }),
    ...(at !== undefined && { at }),
    ...(metadata && { metadata }),
  };
}

function readContent(content: unknown, field: string): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return joinParts(content);
  throw new BadRecord(`${field}: missing content (or text), a string`);
}

/** Keeps the source's message id in the metadata, because a client's own message id costs the store a second item per message. */
function readMetadata({ id, metadata }: Record<string, unknown>, field: string): Record<string, unknown> | undefined {
  const isObject = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  if (!isObject && metadata !== undefined && metadata !== null) throw new BadRecord(`${field}.metadata: not an object`);
  const source = typeof id === "string" || typeof id === "number" ? { source_id: id } : undefined;
  return isObject || source ? { ...source, ...metadata } : undefined;
}

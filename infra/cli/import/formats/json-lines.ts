import { BadRecord } from "../bad-record.ts";
import type { Conversation, SourceMessage } from "../conversation.ts";
import { readInstant } from "./instant.ts";
import { joinParts } from "./parts.ts";
import { readRole } from "./role.ts";

/**
 * Reads a record of the plain format: `{session, title?, started_at?, messages: [{role, content | text, name?,
 * created_at? | ts?, id?, metadata?}]}`. Fields that it does not know are left out.
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

function readMessage(value: unknown, what: string): SourceMessage {
  if (typeof value !== "object" || value === null) throw new BadRecord(`${what}: not an object`);
  const message = value as Record<string, unknown>;
  const at = readInstant(message.created_at ?? message.ts, `${what}.${message.created_at ? "created_at" : "ts"}`);
  const metadata = readMetadata(message, what);
  return {
    role: readRole(message.role, what),
    content: readContent(message.content ?? message.text, what),
    ...(typeof message.name === "string" && { name: message.name }),
    ...(at !== undefined && { at }),
    ...(metadata && { metadata }),
  };
}

function readContent(content: unknown, what: string): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return joinParts(content);
  throw new BadRecord(`${what}: missing content (or text), a string`);
}

/** The source's message id is kept here: an id of its own would cost the store a second item a message. */
function readMetadata({ id, metadata }: Record<string, unknown>, what: string): Record<string, unknown> | undefined {
  const isObject = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  if (!isObject && metadata !== undefined && metadata !== null) throw new BadRecord(`${what}.metadata: not an object`);
  const source = typeof id === "string" || typeof id === "number" ? { source_id: id } : undefined;
  return isObject || source ? { ...source, ...metadata } : undefined;
}

import { BadRecord, type Conversation } from "../conversation.ts";
import { readChatgptConversation } from "./chatgpt.ts";
import { readPlainRecord } from "./json-lines.ts";

/**
 * Reads one record. Its fields tell which format it has.
 * @throws BadRecord
 */
export function readConversation(record: unknown): Conversation {
  if (!isObject(record)) throw new BadRecord("not a JSON object");
  if ("mapping" in record) return readChatgptConversation(record);
  if ("messages" in record) return readPlainRecord(record);
  throw new BadRecord("missing messages (or, in a ChatGPT export, mapping)");
}

/** The id of a record, for reports; undefined when a bad record has none. */
export function nameRecord(record: unknown): string | undefined {
  if (!isObject(record)) return undefined;
  const id = record.session ?? record.conversation_id ?? record.id;
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

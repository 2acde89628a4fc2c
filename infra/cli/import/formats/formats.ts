import { chatgpt } from "./chatgpt.ts";
import { claude } from "./claude.ts";
import { fineTuning } from "./fine-tuning.ts";
import { type Format, isObject, type JsonObject } from "./format.ts";
import { gemini } from "./gemini.ts";
import { langchain } from "./langchain.ts";
import { librechat } from "./librechat.ts";
import { memocha } from "./memocha.ts";
import { mongodb } from "./mongodb.ts";
import { openWebui } from "./open-webui.ts";
import { plain } from "./plain.ts";

/** All formats. A record is of the first one that recognises it. */
export const formats: readonly Format[] = [
  memocha,
  chatgpt,
  claude,
  librechat,
  openWebui,
  gemini,
  langchain,
  mongodb,
  plain,
  fineTuning,
];

export function findFormat(record: JsonObject): Format | undefined {
  return formats.find((format) => format.recognises(record));
}

export const UNKNOWN_FORMAT = `not a format that this command knows (${formats.map(({ name }) => name).join(", ")})`;

/** Returns the id of a record for reports; `undefined` when a bad record has none. */
export function findRecordId(record: JsonObject): string | undefined {
  const { session, sessionId, SessionId, conversation_id, conversationId, uuid, id, _id } = record;
  const document = isObject(_id) ? _id.$oid : _id;
  const named = [session, sessionId, SessionId, conversation_id, conversationId, uuid, id, document];
  const found = named.find((value) => typeof value === "string" || typeof value === "number");
  return found === undefined ? undefined : String(found);
}

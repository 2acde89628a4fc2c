import { partSchema } from "../../../../shared/session/parts.ts";
import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { filePart, missingFile, plainText, readBlocks, urlPart } from "./content-parts.ts";
import { readInstant, readRole } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";

/**
 * The plain format: `{session, title?, started_at?, pinned?, incognito?, metadata?, head_id?, messages: [{role, content | text | parts, name?,
 * created_at? | ts?, id?, parent_id?, metadata?, model?, usage?, status?, finish_reason?}]}`. `parts` are the API's. Ignores other fields.
 */
export const plain: Format = {
  name: "Memocha's JSON Lines",
  recognises: (record) => "session" in record,
  read: ([record = {}], source) => readPlainRecord(record, source),
};

/** @throws BadRecord naming the field. */
export function readPlainRecord(record: JsonObject, source: Source): Conversation {
  const { session, title, started_at: startedAt, messages, pinned, incognito, metadata, head_id: head } = record;
  if (typeof session !== "number" && (typeof session !== "string" || session === "")) {
    throw new BadRecord("missing session: the conversation's id, a string");
  }
  if (!Array.isArray(messages)) throw new BadRecord("missing messages: an array");
  const at = readInstant(startedAt, "started_at");
  const kept = readMetadata(metadata, "metadata");
  const isTree = messages.some((message) => isObject(message) && "parent_id" in message);
  return {
    id: String(session),
    ...(typeof title === "string" && { title }),
    ...(at !== undefined && { startedAt: at }),
    ...(pinned === true && { pinned }),
    ...(incognito === true && { incognito }),
    ...(kept && { metadata: kept }),
    ...(typeof head === "string" && { head }),
    messages: messages.map((message, index) => readMessage(message, `messages[${index}]`, isTree, source)),
  };
}

function readMessage(value: unknown, field: string, isTree: boolean, source: Source): SourceMessage {
  if (!isObject(value)) throw new BadRecord(`${field}: not an object`);
  const { id, parent_id: parent, created_at, ts, name } = value;
  const at = readInstant(created_at ?? ts, `${field}.${created_at ? "created_at" : "ts"}`);
  // Without branches, keep the source's id in the metadata, because a message id costs the store a second item per message.
  const sourceId = !isTree && (typeof id === "string" || typeof id === "number") ? { source_id: id } : undefined;
  const metadata = readMetadata(value.metadata, `${field}.metadata`);
  if (isTree && typeof id !== "string")
    throw new BadRecord(`${field}.id: missing; each message needs an id when messages have a parent_id`);
  if (isTree && parent !== undefined && parent !== null && typeof parent !== "string")
    throw new BadRecord(`${field}.parent_id: not a string`);
  return {
    role: readRole(value.role, field),
    ...(isTree && { id: id as string }),
    ...(isTree && parent !== undefined && { parent: parent as string | null }),
    ...readBody(value, field, source),
    ...(typeof name === "string" && { name }),
    ...(at !== undefined && { at }),
    ...((metadata || sourceId) && { metadata: { ...sourceId, ...metadata } }),
    ...readAnswerFields(value),
  };
}

/** The further fields of an assistant's message. `planSession` checks their values. */
function readAnswerFields(value: JsonObject): Partial<SourceMessage> {
  const names = ["model", "usage", "status", "finish_reason", "latency_ms"] as const;
  return Object.fromEntries(names.flatMap((name) => (value[name] == null ? [] : [[name, value[name]]])));
}

function readBody({ content, text, parts }: JsonObject, field: string, source: Source) {
  if (Array.isArray(parts)) return { parts: parts.map((part, n) => readPart(part, `${field}.parts[${n}]`, source)) };
  const body = content ?? text;
  if (typeof body === "string") return { content: body };
  if (!Array.isArray(body)) throw new BadRecord(`${field}: missing content (or text), a string`);
  const read = readBlocks(body, field.replaceAll(/\W/g, ""), source);
  const joined = plainText(read);
  return joined === undefined ? { parts: read } : { content: joined };
}

/** Reads a part of the API. A file is a `data:` URL, or a file of the export: `path` is its path, or else `file_id` finds it. */
function readPart(part: unknown, field: string, source: Source): SourcePart {
  if (!isObject(part)) throw new BadRecord(`${field}: not an object`);
  if (part.type !== "file") {
    const parsed = partSchema.safeParse(part);
    if (parsed.success) return parsed.data as SourcePart;
    const [issue] = parsed.error.issues;
    throw new BadRecord(`${[field, ...(issue?.path ?? [])].join(".")}: ${issue?.message ?? "not valid"}`);
  }
  const { file_id: id, data, filename, media_type: mediaType, path } = part;
  const name = typeof filename === "string" ? filename : "file";
  if (typeof data === "string") {
    const read = urlPart(data, "file", source);
    return read.type === "file" && typeof filename === "string" ? { ...read, file: { ...read.file, filename } } : read;
  }
  if (typeof id !== "string") throw new BadRecord(`${field}: missing data or file_id`);
  const entry = source.find(typeof path === "string" ? path : id);
  const read = entry ? filePart(entry, name, mediaType, source) : missingFile(name, source);
  return read.type === "file" ? { ...read, file: { ...read.file, id } } : read;
}

function readMetadata(metadata: unknown, field: string): Record<string, unknown> | undefined {
  if (metadata === undefined || metadata === null) return undefined;
  if (!isObject(metadata)) throw new BadRecord(`${field}: not an object`);
  return metadata;
}

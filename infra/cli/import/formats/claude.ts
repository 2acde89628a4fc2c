import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { missingFile, readBlocks, textFile, textPart } from "./content-parts.ts";
import { readInstant } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";
import { splitAnswer } from "./split-answer.ts";

/**
 * Claude's export: `conversations.json` with `{uuid, name, created_at, chat_messages: [{uuid, sender, parent_message_uuid?, created_at,
 * text, content: [blocks], attachments: [{file_name, extracted_content}], files: [{file_name}]}]}`. It has no files, only the texts that
 * Claude extracted from them.
 */
export const claude: Format = {
  name: "Claude's export",
  recognises: (record) => "chat_messages" in record,
  read: ([record = {}], source) => readConversation(record, source),
};

function readConversation(record: JsonObject, source: Source): Conversation {
  const { uuid, name, chat_messages: list, current_leaf_message_uuid: leaf } = record;
  if (typeof uuid !== "string" || uuid === "") throw new BadRecord("missing uuid");
  if (!Array.isArray(list)) throw new BadRecord("missing chat_messages: an array");
  const startedAt = readInstant(record.created_at, "created_at");
  const messages: SourceMessage[] = [];
  const skipped = new Map<string, string | null>();
  const ids = new Set(list.map((message) => (isObject(message) ? message.uuid : undefined)));
  for (const [index, message] of list.entries()) {
    if (!isObject(message)) throw new BadRecord(`chat_messages[${index}]: not an object`);
    const read = readMessage(message, `chat_messages[${index}]`, ids, source);
    messages.push(...read);
    if (read.length === 0 && typeof message.uuid === "string")
      skipped.set(message.uuid, parentOf(message, ids) ?? null);
  }
  return {
    id: uuid,
    ...(typeof name === "string" && name !== "" && { title: name }),
    ...(startedAt !== undefined && { startedAt }),
    ...(typeof leaf === "string" && ids.has(leaf) && { head: leaf }),
    messages,
    skipped,
  };
}

function readMessage(message: JsonObject, field: string, ids: ReadonlySet<unknown>, source: Source): SourceMessage[] {
  const { uuid, sender, text, content } = message;
  if (sender !== "human" && sender !== "assistant") {
    throw new BadRecord(`${field}.sender: must be human or assistant, not ${JSON.stringify(sender)}`);
  }
  const blocks = Array.isArray(content)
    ? content.filter((block) => !isObject(block) || block.type !== "token_budget")
    : [];
  const id = typeof uuid === "string" && uuid !== "" ? uuid : undefined;
  const read = pairResults(blocks).flatMap((block, n) => [
    ...readBlocks([withThinking(block)], `${id ?? field.replaceAll(/\W/g, "")}-${n}`, source),
    ...citationsOf(block),
  ]);
  const hasText = read.some(({ type }) => type === "text");
  const parts = [
    ...read,
    ...(!hasText && typeof text === "string" && text.trim() !== "" ? [textPart(text)] : []),
    ...filesOf(message, source),
  ];
  const at = readInstant(message.created_at, `${field}.created_at`);
  const parent = parentOf(message, ids);
  return splitAnswer(
    {
      role: sender === "human" ? "user" : "assistant",
      ...(id !== undefined && { id }),
      ...(parent !== undefined && { parent }),
      ...(at !== undefined && { at }),
    },
    parts,
    source,
  );
}

/** The parent of the first message is a UUID of zeros, or `null`. Exports without the field have no branches. */
function parentOf({ parent_message_uuid: parent }: JsonObject, ids: ReadonlySet<unknown>): string | null | undefined {
  if (parent === undefined) return undefined;
  return typeof parent === "string" && (ids.has(parent) || !parent.startsWith("00000000-")) ? parent : null;
}

/** Gives calls and results without ids the same ids by their order in the message: the first result belongs to the first call. */
function pairResults(blocks: readonly unknown[]): unknown[] {
  const counts = { tool_use: 0, tool_result: 0 };
  return blocks.map((block) => {
    if (!isObject(block)) return block;
    const { type, id, tool_use_id } = block;
    if (type === "tool_use" && typeof id !== "string") return { ...block, id: `call-${counts.tool_use++}` };
    if (type === "tool_result" && typeof tool_use_id !== "string")
      return { ...block, tool_use_id: `call-${counts.tool_result++}` };
    return block;
  });
}

/** Uses the summaries of a thought as its text if the export lacks the text. */
function withThinking(block: unknown): unknown {
  if (!isObject(block) || block.type !== "thinking" || block.thinking || !Array.isArray(block.summaries)) return block;
  return { ...block, thinking: block.summaries.map((each) => (isObject(each) ? each.summary : "")).join("\n\n") };
}

function citationsOf(block: unknown): SourcePart[] {
  if (!isObject(block) || !Array.isArray(block.citations)) return [];
  const urls = block.citations.map((each) => (isObject(each) && isObject(each.details) ? each.details.url : undefined));
  const known = urls.filter((url) => typeof url === "string" && url !== "" && url.length <= 8192) as string[];
  return [...new Set(known)].map((url) => ({ type: "source", url }));
}

function filesOf({ attachments, files }: JsonObject, source: Source): SourcePart[] {
  const names = new Set<string>();
  const parts: SourcePart[] = [];
  for (const each of [...(Array.isArray(attachments) ? attachments : []), ...(Array.isArray(files) ? files : [])]) {
    if (!isObject(each)) continue;
    const name = typeof each.file_name === "string" && each.file_name !== "" ? each.file_name : "pasted.txt";
    const text = each.extracted_content;
    if (typeof text === "string" && text !== "") parts.push(textFile(name, text));
    else if (!names.has(name)) parts.push(missingFile(name, source));
    names.add(name);
  }
  return parts;
}

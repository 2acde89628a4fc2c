import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { missingFile, readBlocks, textPart, toolCall, toolResult, urlPart } from "./content-parts.ts";
import { readInstant } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";
import { splitAnswer } from "./split-answer.ts";

/** The parent of LibreChat's first messages. */
const NO_PARENT = "00000000-0000-0000-0000-000000000000";

/**
 * LibreChat's export of a conversation: `{conversationId, title, messages}` (`messagesTree` in older versions). Messages have `messageId`,
 * `parentMessageId`, `isCreatedByUser`, `text` or `content`; in a recursive export also `children`. The export does not contain files.
 */
export const librechat: Format = {
  name: "LibreChat's export",
  recognises: (record) => "conversationId" in record && ("messages" in record || "messagesTree" in record),
  read: ([record = {}], source) => readConversation(record, source),
};

function readConversation(record: JsonObject, source: Source): Conversation {
  const { conversationId: id, title, messages: list, messagesTree = list } = record;
  if (typeof id !== "string" || id === "") throw new BadRecord("missing conversationId");
  if (!Array.isArray(messagesTree)) throw new BadRecord("missing messages: an array");
  const messages: SourceMessage[] = [];
  const skipped = new Map<string, string | null>();
  for (const { message, parent, field } of flatten(messagesTree)) {
    const read = readMessage(message, parent, field, source);
    messages.push(...read);
    if (read.length === 0 && typeof message.messageId === "string") skipped.set(message.messageId, parent ?? null);
  }
  return { id, ...(typeof title === "string" && { title }), messages, skipped };
}

/** Lists the messages and their children. It does not use recursion, because a conversation can have many levels. */
function* flatten(list: readonly unknown[]) {
  const left = list.map((message, n) => ({ message, above: undefined as string | undefined, field: `messages[${n}]` }));
  left.reverse();
  for (let next = left.pop(); next; next = left.pop()) {
    const { message, above, field } = next;
    if (!isObject(message)) throw new BadRecord(`${field}: not an object`);
    const { messageId, parentMessageId = above, children } = message;
    const parent = parentMessageId === NO_PARENT || parentMessageId === null ? null : parentMessageId;
    if (parent !== undefined && typeof parent !== "string" && parent !== null)
      throw new BadRecord(`${field}.parentMessageId: not a string`);
    yield { message, parent: parent as string | null | undefined, field };
    if (!Array.isArray(children)) continue;
    if (typeof messageId !== "string") throw new BadRecord(`${field}.messageId: missing, but the message has children`);
    for (const [n, child] of [...children.entries()].reverse()) {
      left.push({ message: child, above: messageId, field: `message ${messageId}, child ${n + 1}` });
    }
  }
}

function readMessage(
  message: JsonObject,
  parent: string | null | undefined,
  field: string,
  source: Source,
): SourceMessage[] {
  const { messageId, isCreatedByUser, sender, text, content, model, unfinished, error } = message;
  const isUser = typeof isCreatedByUser === "boolean" ? isCreatedByUser : String(sender).toLowerCase() === "user";
  if (error === true) {
    source.leaveOut("messages that are errors");
    return [];
  }
  const id = typeof messageId === "string" && messageId !== "" ? messageId : undefined;
  const read = Array.isArray(content)
    ? content.flatMap((part, n) => readContent(part, `${id ?? "call"}-${n}`, source))
    : typeof text === "string" && text !== ""
      ? [textPart(text)]
      : [];
  const files = Array.isArray(message.files) ? message.files.filter(isObject) : [];
  const parts = [...read, ...files.map(({ filename }) => missingFile(String(filename ?? "file"), source))];
  const at = readInstant(message.createdAt, `${field}.createdAt`);
  return splitAnswer(
    {
      role: isUser ? "user" : "assistant",
      ...(id !== undefined && { id }),
      ...(parent !== undefined && { parent }),
      ...(at !== undefined && { at }),
      ...(!isUser && typeof model === "string" && model !== "" && { model: model.slice(0, 200) }),
      ...(!isUser && unfinished === true && { status: "incomplete" as const }),
    },
    parts,
    source,
  );
}

/** Reads a part of LibreChat's content. A tool call contains its output. */
function readContent(part: unknown, fallbackId: string, source: Source): SourcePart[] {
  if (!isObject(part)) return [];
  const { type, text, tool_call: call } = part;
  if (type === "text" && isObject(text)) return readBlocks([{ type, text: text.value }], fallbackId, source);
  if (type === "tool_call" && isObject(call)) {
    const { id, name, args, input = args, output } = call;
    const made = toolCall(id, name, input, fallbackId);
    const done = output === undefined || output === null ? [] : [toolResult(id, name, output, fallbackId)];
    return [made, ...done];
  }
  if (type === "image_file") {
    const file = isObject(part.image_file) ? part.image_file : {};
    return [
      typeof file.filename === "string" ? missingFile(file.filename, source) : urlPart(undefined, "image", source),
    ];
  }
  return readBlocks([part], fallbackId, source);
}

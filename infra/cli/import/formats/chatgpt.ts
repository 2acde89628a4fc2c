import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { filePart, missingFile, parseInput, textPart, toBody, toolCall, toolResult } from "./content-parts.ts";
import { joinParts, readInstant, readRole } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";

interface Node {
  parent?: unknown;
  message?: unknown;
}

interface Message {
  author?: { role?: unknown; name?: unknown } | null;
  create_time?: unknown;
  content?: Content | null;
  recipient?: unknown;
  metadata?: { is_visually_hidden_from_conversation?: unknown; model_slug?: unknown; attachments?: unknown } | null;
}

type Content = { content_type?: unknown; parts?: unknown } & JsonObject;

/** Types of content that are not messages. */
const INTERNAL = new Set(["reasoning_recap", "user_editable_context", "model_editable_context"]);

/**
 * ChatGPT's export: `conversations.json`, an array of `{conversation_id, title, create_time, current_node, mapping}`. `mapping` is a tree of
 * nodes by id. The files are in the same directory, and their names begin with the ids that messages name.
 */
export const chatgpt: Format = {
  name: "ChatGPT's export",
  recognises: (record) => "mapping" in record,
  read: ([record = {}], source) => readChatgptConversation(record, source),
};

/** @throws BadRecord when it has no id, no mapping, an unknown role or a bad date. */
export function readChatgptConversation(record: JsonObject, source: Source): Conversation {
  const id = record.conversation_id ?? record.id;
  if (typeof id !== "string" || id === "") throw new BadRecord("missing conversation_id (or id)");
  const { mapping, title, current_node: current } = record;
  if (!isObject(mapping)) throw new BadRecord("missing mapping: an object of nodes");
  const nodes = new Map(Object.entries(mapping as Record<string, Node | null>));
  const startedAt = readInstant(record.create_time, "create_time");
  const messages: SourceMessage[] = [];
  const skipped = new Map<string, string | null>();
  const calls = createCallFinder(nodes);
  for (const [key, node] of nodes) {
    if (!isObject(node)) continue;
    const parent = typeof node.parent === "string" && node.parent !== "" ? node.parent : null;
    const message = isObject(node.message) ? readNode(key, node.message as Message, calls, source) : undefined;
    if (message) messages.push({ id: key, parent, ...message });
    else skipped.set(key, parent);
  }
  const head = typeof current === "string" && isObject(nodes.get(current)) ? current : newestLeaf(messages, skipped);
  return {
    id,
    ...(typeof title === "string" && { title }),
    ...(startedAt !== undefined && { startedAt }),
    messages,
    skipped,
    ...(head !== undefined && { head }),
  };
}

/** The newest message without a child. Of messages with equal times, the last one, because exports list nodes in order of creation. */
function newestLeaf(
  messages: readonly SourceMessage[],
  skipped: ReadonlyMap<string, string | null>,
): string | undefined {
  const parents = new Set([...messages.map(({ parent }) => parent), ...skipped.values()]);
  const leaves = messages.filter(({ id }) => !parents.has(id));
  return (leaves.length > 0 ? leaves : messages).reduce<SourceMessage | undefined>(
    (newest, each) => (newest && (each.at ?? 0) < (newest.at ?? 0) ? newest : each),
    undefined,
  )?.id;
}

function readNode(
  key: string,
  message: Message,
  callOf: (key: string) => string | undefined,
  source: Source,
): SourceMessage | undefined {
  const { author, content, metadata } = message;
  if (content !== undefined && content !== null && !isObject(content))
    throw new BadRecord(`node ${key}: content must be an object`);
  if (metadata?.is_visually_hidden_from_conversation === true) return undefined;
  if (typeof content?.content_type === "string" && INTERNAL.has(content.content_type)) return undefined;
  const { role, recipient } = { role: author?.role, recipient: message.recipient };
  const isCall = typeof recipient === "string" && recipient !== "all";
  const name = typeof author?.name === "string" && author.name !== "" ? author.name : undefined;
  const text = readText(content ?? {}, source);
  const files = readFiles(message, source);
  const call = role === "tool" ? callOf(key) : undefined;
  const body = isCall
    ? { parts: [toolCall(key, recipient, parseInput(text), key)] }
    : call !== undefined
      ? { parts: [toolResult(call, name, text, call), ...files] }
      : toBodyOf(content ?? {}, text, files);
  if ("content" in body && body.content.trim() === "") return undefined;
  // A message from one tool to another is not part of the conversation.
  if (isCall && role !== "assistant") return undefined;
  const at = readInstant(message.create_time, `node ${key}: create_time`);
  const known = readRole(role, `node ${key}`);
  const model = metadata?.model_slug;
  return {
    role: known,
    ...body,
    ...(name !== undefined && call === undefined && { name }),
    ...(at !== undefined && { at }),
    ...(known === "assistant" && typeof model === "string" && model !== "" && { model: model.slice(0, 200) }),
    ...describe(content ?? {}),
  };
}

function toBodyOf({ content_type: type, thoughts }: Content, text: string, files: SourcePart[]) {
  if (type !== "thoughts") return toBody([...(text === "" ? [] : [textPart(text)]), ...files]);
  const texts = (Array.isArray(thoughts) ? thoughts : [])
    .filter(isObject)
    .map(({ summary, content }) =>
      [summary, content].filter((each) => typeof each === "string" && each !== "").join("\n"),
    );
  const whole = texts.filter((each) => each !== "").join("\n\n");
  return whole === "" ? { content: "" } : toBody([{ type: "reasoning", text: whole }]);
}

/** Creates a function that finds the call for a tool's result: the nearest call above it, with only results and hidden messages between. */
function createCallFinder(nodes: ReadonlyMap<string, Node | null>): (key: string) => string | undefined {
  return (key) => {
    let id = nodes.get(key)?.parent;
    // Results of the same call follow each other. Real exports have few, so the limit only bounds the work.
    for (let steps = 0; steps < 100 && typeof id === "string"; steps++) {
      const node = nodes.get(id);
      const message = isObject(node?.message) ? (node.message as Message) : undefined;
      const role = message?.author?.role;
      if (role === "assistant" && typeof message?.recipient === "string" && message.recipient !== "all") return id;
      if (message && role !== "tool" && message.metadata?.is_visually_hidden_from_conversation !== true)
        return undefined;
      id = node?.parent;
    }
    return undefined;
  };
}

/** The text of a message. It has a placeholder for each file that the export does not have. */
function readText(content: Content, source: Source): string {
  if (Array.isArray(content.parts)) return joinParts(content.parts.filter((part) => !entryOf(pointerOf(part), source)));
  // code, execution_output and tether_quote have `text`, tether_browsing_display has `result`.
  const { text, result, content_type: type } = content;
  if (typeof text === "string") return text;
  if (typeof result === "string") return result;
  return typeof type === "string" && type !== "thoughts" ? `[${type.replaceAll("_", " ")}]` : "";
}

/** The files of a message: those that its parts point to, and those that were attached to it. */
function readFiles({ content, metadata }: Message, source: Source): SourcePart[] {
  const attached = (Array.isArray(metadata?.attachments) ? metadata.attachments : []).filter(isObject);
  const pointed = (Array.isArray(content?.parts) ? content.parts : []).flatMap((part) => pointerOf(part) ?? []);
  const others = attached.flatMap(({ id }) => (typeof id === "string" && !pointed.includes(id) ? [id] : []));
  return [...pointed, ...others].flatMap((id) => {
    const { name, mime_type } = attached.find((each) => each.id === id) ?? {};
    const entry = entryOf(id, source);
    const base = entry?.name.slice(entry.name.lastIndexOf("/") + 1);
    const filename = typeof name === "string" && name !== "" ? name : (base ?? id);
    if (entry) return [filePart(entry, filename, mime_type, source)];
    if (!pointed.includes(id)) return [missingFile(filename, source)];
    source.leaveOut("files that are not in the export");
    return [];
  });
}

const entryOf = (id: string | undefined, source: Source) => (id === undefined ? undefined : source.find(id));

/** The id of the file that a part points to: "file-service://file-abc", "sediment://file_abc". */
function pointerOf(part: unknown): string | undefined {
  if (!isObject(part)) return undefined;
  const audio = isObject(part.audio_asset_pointer) ? part.audio_asset_pointer.asset_pointer : undefined;
  const pointer = part.asset_pointer ?? audio;
  return typeof pointer === "string" ? pointer.replace(/^.*:\/\//, "") : undefined;
}

/** Keeps the type of the content in metadata, because the API has no field for it. */
function describe({ content_type: type }: Content): { metadata?: Record<string, unknown> } {
  return typeof type === "string" && type !== "text" ? { metadata: { content_type: type } } : {};
}

import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { htmlToText } from "../read/html-text.ts";
import {
  missingFile,
  readBlocks,
  reasoning,
  resultText,
  textFile,
  textPart,
  toolCall,
  toolResult,
  urlPart,
} from "./content-parts.ts";
import { readInstant, readRole } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";
import { splitAnswer } from "./split-answer.ts";

/**
 * Open WebUI's export: an array of `{id, title, chat: {history: {messages, currentId}}, created_at, pinned, meta}`. Messages are an object
 * by id, with `parentId`, `role`, `content`, `timestamp`, `files`, and in newer versions `output`: the steps of the answer.
 */
export const openWebui: Format = {
  name: "Open WebUI's export",
  recognises: ({ chat, history }) =>
    (isObject(chat) && (isObject(chat.history) || Array.isArray(chat.messages))) ||
    (isObject(history) && isObject(history.messages)),
  read: ([record = {}], source) => readChat(record, source),
};

function readChat(record: JsonObject, source: Source): Conversation {
  const chat = isObject(record.chat) ? record.chat : record;
  const id = record.id ?? chat.id;
  if (typeof id !== "string" || id === "") throw new BadRecord("missing id");
  const title = record.title ?? chat.title;
  const history = isObject(chat.history) ? chat.history : {};
  const list = isObject(history.messages) ? Object.entries(history.messages) : Object.entries(toList(chat.messages));
  const startedAt = readInstant(record.created_at ?? chat.timestamp, "created_at");
  const tags = isObject(record.meta) && Array.isArray(record.meta.tags) ? record.meta.tags : [];
  const messages: SourceMessage[] = [];
  const skipped = new Map<string, string | null>();
  for (const [key, message] of list) {
    if (!isObject(message)) throw new BadRecord(`message ${key}: not an object`);
    const read = readMessage(key, message, isObject(history.messages), source);
    messages.push(...read);
    if (read.length === 0) skipped.set(key, typeof message.parentId === "string" ? message.parentId : null);
  }
  return {
    id,
    ...(typeof title === "string" && { title }),
    ...(startedAt !== undefined && { startedAt }),
    ...(record.pinned === true && { pinned: true }),
    ...(tags.length > 0 && { metadata: { tags } }),
    ...(typeof history.currentId === "string" && { head: history.currentId }),
    messages,
    skipped,
  };
}

const toList = (messages: unknown): unknown[] => (Array.isArray(messages) ? messages : []);

function readMessage(key: string, message: JsonObject, isTree: boolean, source: Source): SourceMessage[] {
  const { parentId, model, output, usage } = message;
  const role = readRole(message.role, `message ${key}`);
  const at = readInstant(message.timestamp, `message ${key}: timestamp`);
  const steps = Array.isArray(output) ? output.flatMap((step, n) => readStep(step, `${key}-${n}`, source)) : [];
  const said = steps.length > 0 ? steps : readText(message.content, key, source);
  return splitAnswer(
    {
      role,
      ...(isTree && { id: key, parent: typeof parentId === "string" ? parentId : null }),
      ...(at !== undefined && { at }),
      ...(role === "assistant" && typeof model === "string" && model !== "" && { model: model.slice(0, 200) }),
      ...(role === "assistant" && readUsage(usage)),
      ...(role === "assistant" && message.done === false && { status: "incomplete" as const }),
    },
    [...said, ...sourcesOf(message), ...filesOf(message, source)],
    source,
  );
}

/** Reads a step of an answer: reasoning, a tool call, its output, or text. */
function readStep(step: unknown, fallbackId: string, source: Source): SourcePart[] {
  if (!isObject(step)) return [];
  const { type, call_id, name } = step;
  if (type === "reasoning") return reasoning(resultText(textBlocks(step.content ?? step.summary)));
  if (type === "function_call") return [toolCall(call_id, name, step.arguments, fallbackId)];
  if (type === "function_call_output")
    return [toolResult(call_id, name, resultText(textBlocks(step.output)), fallbackId)];
  return readBlocks(type === "message" ? step.content : [step], fallbackId, source);
}

const textBlocks = (content: unknown): unknown =>
  Array.isArray(content)
    ? content.map((block) =>
        isObject(block) && typeof block.text === "string" ? { type: "text", text: block.text } : block,
      )
    : content;

const REASONING = /<details type="reasoning"[^>]*>\s*(?:<summary>[^<]*<\/summary>)?([\s\S]*?)<\/details>/g;

/** Reads a message's text. Versions without `output` have the reasoning in it, as HTML. */
function readText(content: unknown, key: string, source: Source): SourcePart[] {
  if (typeof content !== "string") return readBlocks(content, key, source);
  const thoughts = [...content.matchAll(REASONING)].flatMap(([, html = ""]) =>
    reasoning(htmlToText(html.replaceAll(/^\s*&gt; ?/gm, "").replaceAll("\n", "<br>"))),
  );
  const text = content.replaceAll(REASONING, "").trim();
  return [...thoughts, ...(text === "" ? [] : [textPart(text)])];
}

function readUsage(usage: unknown): Pick<SourceMessage, "usage"> {
  if (!isObject(usage)) return {};
  const [input_tokens, output_tokens] = [
    usage.prompt_tokens ?? usage.input_tokens,
    usage.completion_tokens ?? usage.output_tokens,
  ];
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  return isCount(input_tokens) && isCount(output_tokens) ? { usage: { input_tokens, output_tokens } } : {};
}

function sourcesOf({ sources, citations = sources }: JsonObject): SourcePart[] {
  const urls = toList(citations).flatMap((each) => {
    if (!isObject(each)) return [];
    const inner = toList(each.metadata).map((one) => (isObject(one) ? one.source : undefined));
    return [isObject(each.source) ? each.source.url : undefined, ...inner];
  });
  const known = urls.filter((url) => typeof url === "string" && /^https?:/.test(url) && url.length <= 8192) as string[];
  return [...new Set(known)].map((url) => ({ type: "source", url }));
}

/** Reads a message's files. Images are `data:` URLs in older versions. For documents, the export has only their extracted text. */
function filesOf({ files }: JsonObject, source: Source): SourcePart[] {
  return toList(files).flatMap((each): SourcePart[] => {
    if (!isObject(each)) return [];
    const { type, url, name, file } = each;
    if (typeof url === "string" && url.startsWith("data:")) return [urlPart(url, String(type ?? "file"), source)];
    const filename = String(name ?? (isObject(file) ? file.filename : undefined) ?? type ?? "file");
    const text = isObject(file) && isObject(file.data) ? file.data.content : undefined;
    return [
      typeof text === "string" && text !== "" ? textFile(`${filename}.txt`, text) : missingFile(filename, source),
    ];
  });
}

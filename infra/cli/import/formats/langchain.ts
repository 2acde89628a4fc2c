import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { parseInput, readBlocks, textPart, toBody, toolCall, toolResult } from "./content-parts.ts";
import { readRole } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";

/**
 * LangChain's `DynamoDBChatMessageHistory` and `MongoDBChatMessageHistory`: one record per session. Python's has `{SessionId, History:
 * [{type, data: {content, …}}]}`. JavaScript's table has `{id, messages: [{type, text, role?, additional_kwargs: "JSON"}]}`, its collection
 * `{sessionId, messages: [{type, data}]}`. LangChain stores no times.
 */
export const langchain: Format = {
  name: "LangChain's chat history (DynamoDB, MongoDB)",
  recognises: (record) => historyOf(record)?.every(isStored) === true,
  read: ([record = {}], source) => readHistory(record, source),
};

const historyOf = ({ History, messages = History }: JsonObject): unknown[] | undefined =>
  Array.isArray(messages) && messages.length > 0 ? messages : undefined;

const isStored = (message: unknown): message is JsonObject =>
  isObject(message) &&
  typeof message.type === "string" &&
  !("role" in message && "content" in message) &&
  (isObject(message.data) || typeof message.text === "string");

/** Finds the messages of an item, in an attribute of any name. */
export function findHistory(item: JsonObject): unknown[] | undefined {
  return Object.values(item).find(
    (value): value is unknown[] => Array.isArray(value) && value.length > 0 && value.every(isStored),
  );
}

function readHistory(record: JsonObject, source: Source): Conversation {
  const { SessionId, sessionId = SessionId, id = sessionId } = record;
  if (typeof id !== "string" || id === "") throw new BadRecord("missing SessionId (or id): the session's id, a string");
  return {
    id,
    messages: (historyOf(record) ?? []).flatMap((message, n) =>
      readMessage(message as JsonObject, `messages[${n}]`, source),
    ),
  };
}

const ROLES: Record<string, string> = {
  human: "user",
  HumanMessageChunk: "user",
  ai: "assistant",
  AIMessageChunk: "assistant",
  system: "system",
  SystemMessageChunk: "system",
  developer: "system",
  tool: "tool",
  ToolMessageChunk: "tool",
  function: "tool",
};

function readMessage(
  { type, data, text, role: itsRole, additional_kwargs }: JsonObject,
  field: string,
  source: Source,
): SourceMessage[] {
  const stored: JsonObject = isObject(data) ? data : { content: text, role: itsRole, additional_kwargs };
  // A message of the type "remove" is an instruction to LangChain, not a message.
  if (type === "remove") return [];
  const role = readRole(ROLES[String(type)] ?? stored.role ?? type, field);
  const more = parseInput(stored.additional_kwargs);
  const kwargs = isObject(more) ? more : {};
  const { name, content } = stored;
  if (typeof content !== "string" && !Array.isArray(content) && (content ?? null) !== null)
    throw new BadRecord(`${field}: content must be a text or an array of blocks`);
  const parts = readBlocks(content, field.replaceAll(/\W/g, ""), source);
  const said =
    role === "tool" ? toolParts(stored, kwargs, parts) : [...parts, ...callsOf(stored, kwargs, parts, field)];
  return [
    {
      role,
      ...toBody(said),
      ...(typeof name === "string" && name !== "" && { name }),
      ...(role === "assistant" && readAnswer(stored)),
    },
  ];
}

function toolParts(stored: JsonObject, kwargs: JsonObject, parts: SourcePart[]): SourcePart[] {
  const id = stored.tool_call_id ?? kwargs.tool_call_id;
  if (typeof id !== "string" || id === "") return parts.length > 0 ? parts : [textPart("")];
  const texts = parts.every(({ type }) => type === "text")
    ? parts.map((part) => ("text" in part ? part.text : ""))
    : null;
  return [toolResult(id, stored.name, texts ? texts.join("\n") : stored.content, id, stored.status === "error")];
}

/** The tool calls of an answer. Older versions have OpenAI's form. Anthropic's calls are also blocks of the content: do not read them twice. */
function callsOf(stored: JsonObject, kwargs: JsonObject, parts: readonly SourcePart[], field: string): SourcePart[] {
  if (parts.some(({ type }) => type === "tool_call")) return [];
  const own = Array.isArray(stored.tool_calls) ? stored.tool_calls : [];
  const calls = own.length > 0 ? own : Array.isArray(kwargs.tool_calls) ? kwargs.tool_calls : [];
  return calls.filter(isObject).map((call, n) => {
    const { name = call.name, arguments: args = call.args } = isObject(call.function) ? call.function : call;
    return toolCall(call.id, name, args, `${field.replaceAll(/\W/g, "")}-${n}`);
  });
}

function readAnswer({ response_metadata: about, usage_metadata: usage }: JsonObject): Partial<SourceMessage> {
  const { model_name, model = model_name } = isObject(about) ? about : {};
  const { input_tokens, output_tokens } = isObject(usage) ? usage : {};
  return {
    ...(typeof model === "string" && model !== "" && { model: model.slice(0, 200) }),
    ...(Number.isSafeInteger(input_tokens) &&
      Number.isSafeInteger(output_tokens) && {
        usage: { input_tokens: input_tokens as number, output_tokens: output_tokens as number },
      }),
  };
}

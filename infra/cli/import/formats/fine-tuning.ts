import { NIL, v5 } from "uuid";
import { BadRecord, type Conversation, type SourceMessage, type SourcePart } from "../conversation.ts";
import { readBlocks, resultText, textPart, toBody, toolCall, toolResult } from "./content-parts.ts";
import { readRole } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";

/**
 * OpenAI's JSON Lines for fine-tuning: `{messages: [{role, content, name?, tool_calls?, tool_call_id?, weight?}], tools?}`. A line has no
 * id, so the session's id is a hash of the messages, and the same line gives the same session in every run.
 */
export const fineTuning: Format = {
  name: "OpenAI's fine-tuning JSON Lines",
  recognises: ({ messages }) =>
    Array.isArray(messages) && messages.every((message) => isObject(message) && "role" in message),
  read: ([record = {}], source) => readExample(record, source),
};

/** Maximum bytes of the tools as JSON, so that they fit into a session's metadata. */
const MAX_TOOLS = 3500;

function readExample(record: JsonObject, source: Source): Conversation {
  const { messages, tools } = record;
  if (!Array.isArray(messages)) throw new BadRecord("missing messages: an array");
  const keepsTools = Array.isArray(tools) && tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) <= MAX_TOOLS;
  if (Array.isArray(tools) && tools.length > 0 && !keepsTools)
    source.leaveOut("definitions of tools that are too long for metadata");
  return {
    id: v5(JSON.stringify(messages), v5("memocha:fine-tuning", NIL)),
    ...(keepsTools && { metadata: { tools } }),
    messages: messages.map((message, n) => readMessage(message as JsonObject, n, source)),
  };
}

function readMessage(message: JsonObject, n: number, source: Source): SourceMessage {
  const { content, name, tool_calls, function_call, tool_call_id, weight } = message;
  const field = `messages[${n}]`;
  const given = message.role === "function" ? "tool" : message.role === "developer" ? "system" : message.role;
  const role = readRole(given, field);
  const body = readBlocks(content, `message-${n}`, source);
  const calls = Array.isArray(tool_calls)
    ? tool_calls.filter(isObject)
    : isObject(function_call)
      ? [{ function: function_call }]
      : [];
  const parts: SourcePart[] = [
    ...body,
    ...(typeof message.refusal === "string" ? [textPart(message.refusal)] : []),
    ...calls.map((call, index) => {
      const { name: called, arguments: args } = isObject(call.function) ? call.function : {};
      return toolCall("id" in call ? call.id : undefined, called, args, `call-${n}-${index}`);
    }),
  ];
  const isResult = role === "tool" && typeof tool_call_id === "string" && tool_call_id !== "";
  if (parts.length === 0 && !isResult && content !== "") throw new BadRecord(`${field}: missing content or tool_calls`);
  return {
    role,
    ...(isResult ? toBody([toolResult(tool_call_id, name, resultText(content), "call")]) : toBody(parts)),
    ...(typeof name === "string" && name !== "" && !isResult && { name }),
    ...(typeof weight === "number" && { metadata: { weight } }),
  };
}

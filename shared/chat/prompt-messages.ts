import { type FilePart, fileTokens } from "../files/prompt-files.ts";
import { type PromptMessage, type PromptPart, safeName } from "../llm/model.ts";
import type { CountTokens } from "../llm/tokenizer.ts";
import { messageTokens } from "../llm/tokens.ts";
import type { MessageRecord } from "../session/message.ts";
import type { MessagePart } from "../session/parts.ts";
import { inputText } from "./answer-body.ts";

export type Said = Pick<MessageRecord, "role" | "content" | "parts" | "name">;

type Part<T extends MessagePart["type"]> = Extract<MessagePart, { type: T }>;

/** Turns a file part into what the model takes: an image, a document, or text. */
export type FileOf = (part: FilePart) => PromptPart;

/** Messages of a prompt that must not be separated: a single one, or an assistant's tool calls with their results. */
export interface PromptGroup {
  messages: PromptMessage[];
  /** Places of its first and last message among those that were said. */
  first: number;
  last: number;
}

/**
 * Turns messages into those of a prompt. The results of tools follow their calls, as providers require, also if other messages were
 * stored in between. Calls without a result are left out, because providers reject them. A result without its call becomes a user's
 * message. Reasoning, sources and data are not shown to the model; messages with nothing else are left out, because some providers
 * reject empty messages.
 */
export function promptGroups(said: readonly Said[], fileOf: FileOf = nameOf): PromptGroup[] {
  const used = new Set<MessagePart>();
  return said.flatMap((message, first) => {
    let last = first;
    const answered = partsOf(message, "tool_call").flatMap((call) => {
      const found = resultOf(said, first, call.tool_call_id);
      if (!found) return [];
      used.add(found.part);
      last = Math.max(last, found.at);
      return [{ call, result: found.part }];
    });
    const orphans = partsOf(message, "tool_result").filter((part) => !used.has(part));
    const own = [message.content, ...orphans.map(({ output }) => outputText(output))].filter((text) => text.trim());
    // A result without its call, or a tool's message that was captured as text, becomes a message of the user.
    const role = message.role === "tool" ? "user" : message.role;
    const files = partsOf(message, "file").map((part) => fileFor(role, part, fileOf));
    if (own.length === 0 && files.length === 0 && answered.length === 0) return [];
    const text = message.parts ? own.join("\n\n") : message.content;
    const results = answered.map(({ call, result }): PromptMessage => {
      return { role: "tool", content: outputText(result.output), tool_call_id: call.tool_call_id };
    });
    const head: PromptMessage = {
      role,
      content: files.length > 0 ? [...(text ? [{ type: "text" as const, text }] : []), ...files] : text || null,
      ...speakerOf(message),
      ...(answered.length > 0 ? { tool_calls: answered.map(({ call }) => toToolCall(call)) } : {}),
    };
    return [{ messages: [head, ...results], first, last }];
  });
}

/** Tokens of the messages of a group. */
export const groupTokens = ({ messages }: PromptGroup, count: CountTokens): number =>
  messages.reduce((sum, message) => sum + promptMessageTokens(message, count), 0);

function promptMessageTokens({ content, name, tool_calls }: PromptMessage, count: CountTokens): number {
  const parts: readonly PromptPart[] =
    typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const files = parts.reduce((sum, part) => sum + (part.type === "text" ? 0 : fileTokens(part)), 0);
  return files + messageTokens({ content: text, name }, count) + (tool_calls ? count(JSON.stringify(tool_calls)) : 0);
}

const partsOf = <T extends MessagePart["type"]>({ parts = [] }: Said, type: T): Part<T>[] =>
  parts.filter((part): part is Part<T> => part.type === type);

/** The first result of a call, before the next call of the same id. Some providers use an id again in later answers. */
function resultOf(said: readonly Said[], call: number, id: string) {
  for (let at = call + 1; at < said.length; at++) {
    for (const part of said[at]?.parts ?? []) {
      if (part.type === "tool_call" && part.tool_call_id === id) return undefined;
      if (part.type === "tool_result" && part.tool_call_id === id) return { at, part };
    }
  }
  return undefined;
}

const toToolCall = ({ tool_call_id: id, name, input }: Part<"tool_call">) => ({
  id,
  type: "function" as const,
  function: { name, arguments: argumentsOf(input) },
});

/** Providers reject arguments that are not JSON, also when a model wrote them. */
function argumentsOf(input: unknown): string {
  const text = inputText(input);
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify({ input: text });
  }
}

const outputText = (output: unknown): string => (typeof output === "string" ? output : JSON.stringify(output));

const nameOf: FileOf = ({ filename, media_type }) => ({
  type: "text",
  text: `[File ${JSON.stringify(filename ?? "")} (${media_type}), which you cannot read]`,
});

/** OpenAI accepts images and documents only in messages of the user. */
function fileFor(role: Said["role"], part: FilePart, fileOf: FileOf): PromptPart {
  const file = fileOf(part);
  return role === "user" || file.type === "text" ? file : nameOf(part);
}

function speakerOf({ role, name }: Said): { name?: string } {
  const speaker = name ?? (role === "tool" ? "tool" : undefined);
  return speaker ? { name: safeName(speaker) } : {};
}

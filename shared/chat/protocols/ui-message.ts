import type { MessageRecord } from "../../session/message.ts";
import type { MessagePart } from "../../session/parts.ts";

/** A message as clients of the AI SDK keep it (`UIMessage` in its sources). */
export interface UiMessage {
  id: string;
  role: "system" | "user" | "assistant";
  metadata?: unknown;
  parts: UiPart[];
}

export type UiPart = { type: string } & Record<string, unknown>;

/**
 * Messages in order as UI messages. The AI SDK keeps all rounds of an answer with tools in one message, a step per round: an answer, the
 * results of its tools, and the next answer are one message with the id of the first answer. `urls` are those of files, by id.
 */
export function toUiMessages(
  session: string,
  messages: readonly MessageRecord[],
  urls: ReadonlyMap<string, string> = new Map(),
): UiMessage[] {
  const shown: UiMessage[] = [];
  let previous: MessageRecord | undefined;
  for (const message of messages) {
    const isContinued = message.role === "tool" || (message.role === "assistant" && previous?.role === "tool");
    let last = shown.at(-1);
    if (!last || !isContinued || last.role !== "assistant") {
      last = {
        id: message.client_id ?? message.id,
        role: message.role === "tool" ? "assistant" : message.role,
        parts: [],
      };
      shown.push(last);
    }
    if (message.role === "assistant") last.parts.push({ type: "step-start" });
    for (const part of partsOf(message)) {
      const isResult = part.type === "tool_result" && addResult(last, part);
      if (!isResult) last.parts.push(toUiPart(part, `${message.id}:${last.parts.length}`, message.role, urls));
    }
    // The AI SDK refuses a message without parts.
    if (last.parts.length === 0) last.parts.push({ type: "text", text: "" });
    const metadata = message.role === "assistant" ? answerMetadata(session, message) : message.metadata;
    if (metadata && message.role !== "tool") last.metadata = metadata;
    previous = message;
  }
  return shown;
}

/** Metadata of an answer for clients of the AI SDK. */
export const answerMetadata = (session: string, message: MessageRecord) => ({
  session_id: session,
  model: message.model,
  usage: message.usage,
  status: message.status,
  // Clients merge this into the metadata of earlier rounds: a member that is absent would keep its old value.
  finish_reason: message.finish_reason ?? null,
  latency_ms: message.latency_ms,
});

function partsOf({ content, parts }: MessageRecord): MessagePart[] {
  return parts ?? (content === "" ? [] : [{ type: "text", text: content }]);
}

/** Adds a result to its tool call. Returns false when there is no such call. */
function addResult({ parts }: UiMessage, { tool_call_id, output, is_error }: ToolResult): boolean {
  // Some providers use an id again in a later round.
  const call = parts.findLast(({ toolCallId }) => toolCallId === tool_call_id);
  if (call) Object.assign(call, outcomeOf(output, is_error));
  return call !== undefined;
}

type ToolResult = Extract<MessagePart, { type: "tool_result" }>;

function outcomeOf(output: unknown, isError = false): object {
  if (!isError) return { state: "output-available", output };
  return { state: "output-error", errorText: typeof output === "string" ? output : JSON.stringify(output) };
}

function toUiPart(part: MessagePart, sourceId: string, role: string, urls: ReadonlyMap<string, string>): UiPart {
  const state = role === "assistant" ? { state: "done" } : {};
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, text: part.text, ...state };
    case "file": {
      const { file_id, media_type, filename } = part;
      const about = { mediaType: media_type, ...(filename ? { filename } : {}) };
      // The AI SDK refuses an empty URL. A deleted file has none.
      const url = urls.get(file_id) ?? "data:,";
      return { type: "file", ...about, url, providerMetadata: { memocha: { file_id } } };
    }
    case "tool_call":
      return { type: `tool-${part.name}`, toolCallId: part.tool_call_id, state: "input-available", input: part.input };
    case "tool_result": {
      const call = { type: `tool-${part.name ?? "unknown"}`, toolCallId: part.tool_call_id, input: null };
      return { ...call, ...outcomeOf(part.output, part.is_error) };
    }
    case "source":
      return { type: "source-url", sourceId, url: part.url, ...(part.title ? { title: part.title } : {}) };
    case "data":
      return { type: `data-${part.name}`, data: part.data };
  }
}

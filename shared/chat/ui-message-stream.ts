import { toAppError } from "../llm/model-error.ts";
import type { Turn } from "./turn.ts";

/** Headers of the AI SDK's UI message stream (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol). */
export const UI_MESSAGE_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-vercel-ai-ui-message-stream": "v1",
  "x-accel-buffering": "no",
} as const;

/** A turn in the AI SDK's UI message stream protocol, version 1. The answer is stored before `finish` is sent. */
export async function* uiMessageStream(turn: Turn): AsyncGenerator<string> {
  const { id, session, model, memories } = turn;
  yield event({ type: "start", messageId: id, messageMetadata: { session_id: session.id, model } });
  if (memories.length > 0) yield event({ type: "data-memories", data: memories });
  let isOpen = false;
  try {
    for await (const next of turn.events()) {
      if (next.kind === "text") {
        if (!isOpen) yield event({ type: "text-start", id });
        isOpen = true;
        yield event({ type: "text-delta", id, delta: next.text });
        continue;
      }
      if (isOpen) yield event({ type: "text-end", id });
      const { usage, status, finish_reason, latency_ms } = next.message;
      const messageMetadata = {
        session_id: session.id,
        model: next.message.model,
        usage,
        status,
        finish_reason,
        latency_ms,
      };
      yield event({ type: "finish", finishReason: finish_reason?.replace("_", "-") ?? "stop", messageMetadata });
    }
  } catch (error) {
    if (isOpen) yield event({ type: "text-end", id });
    yield event({ type: "error", errorText: errorText(error) });
  }
  yield "data: [DONE]\n\n";
}

/** What a client may know of an error that came amid an answer. */
export function errorText(error: unknown): string {
  const known = toAppError(error);
  return known.status < 500 ? known.message : "The answer broke off. What there was of it is stored.";
}

const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

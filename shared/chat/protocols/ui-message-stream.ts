import type { Turn } from "../turn.ts";
import { END_OF_STREAM, EVENT_STREAM_HEADERS, errorText, toEvent } from "./event-stream.ts";

/** Headers of the AI SDK's UI message stream (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol). */
export const UI_MESSAGE_STREAM_HEADERS = {
  ...EVENT_STREAM_HEADERS,
  "x-vercel-ai-ui-message-stream": "v1",
} as const;

/** A turn in the AI SDK's UI message stream protocol, version 1. The answer is stored before `finish` is sent. */
export async function* uiMessageStream(turn: Turn): AsyncGenerator<string> {
  const { id, session, model, memories } = turn;
  yield toEvent({ type: "start", messageId: id, messageMetadata: { session_id: session.id, model } });
  if (memories.length > 0) yield toEvent({ type: "data-memories", data: memories });
  let isOpen = false;
  try {
    for await (const next of turn.events()) {
      if (next.kind === "text" || next.kind === "refusal") {
        if (!isOpen) yield toEvent({ type: "text-start", id });
        isOpen = true;
        yield toEvent({ type: "text-delta", id, delta: next.text });
        continue;
      }
      if (next.kind !== "end") continue;
      if (isOpen) yield toEvent({ type: "text-end", id });
      const { usage, status, finish_reason, latency_ms } = next.message;
      const messageMetadata = {
        session_id: session.id,
        model: next.message.model,
        usage,
        status,
        finish_reason,
        latency_ms,
      };
      yield toEvent({ type: "finish", finishReason: finish_reason?.replace("_", "-") ?? "stop", messageMetadata });
    }
  } catch (error) {
    if (isOpen) yield toEvent({ type: "text-end", id });
    yield toEvent({ type: "error", errorText: errorText(error) });
  }
  yield END_OF_STREAM;
}

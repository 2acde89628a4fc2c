import { toAppError } from "../llm/model-error.ts";
import { hasBrokenOff, type MessageRecord, timeOf } from "../session/message.ts";
import type { Turn } from "./turn.ts";
import { errorText } from "./ui-message-stream.ts";

export const COMPLETION_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

/** A turn as OpenAI streams it (https://platform.openai.com/docs/api-reference/chat-streaming). */
export async function* completionStream(turn: Turn, includeUsage: boolean): AsyncGenerator<string> {
  const head = {
    id: `chatcmpl-${turn.id}`,
    object: "chat.completion.chunk",
    created: createdOf(turn),
    model: turn.model,
  };
  const chunk = (delta: object, finish_reason: string | null = null) =>
    event({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...(includeUsage ? { usage: null } : {}),
    });
  yield chunk({ role: "assistant", content: "", refusal: null });
  try {
    for await (const next of turn.events()) {
      if (next.kind === "text") {
        yield chunk({ content: next.text });
        continue;
      }
      yield chunk({}, finishReasonOf(next.message));
      if (includeUsage) yield event({ ...head, choices: [], usage: completionUsage(next.message) });
    }
    yield "data: [DONE]\n\n";
  } catch (error) {
    yield event({
      error: { message: errorText(error), type: "server_error", param: null, code: toAppError(error).code },
    });
  }
}

/** A turn as OpenAI answers it whole. */
export function completion(turn: Turn, message: MessageRecord): object {
  return {
    id: `chatcmpl-${turn.id}`,
    object: "chat.completion",
    created: createdOf(turn),
    model: turn.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: message.content, refusal: null },
        logprobs: null,
        finish_reason: finishReasonOf(message),
      },
    ],
    usage: completionUsage(message),
    session_id: turn.session.id,
  };
}

/** OpenAI has no reason for an answer that broke off: `length` is what makes clients ask for the rest. */
const finishReasonOf = (message: MessageRecord): string =>
  message.finish_reason ?? (hasBrokenOff(message) ? "length" : "stop");

function completionUsage({ usage }: MessageRecord) {
  const { input_tokens = 0, output_tokens = 0, cost_usd = 0 } = usage ?? {};
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
    cost_usd,
  };
}

const createdOf = ({ id }: Turn): number => Math.floor(timeOf(id) / 1000);

const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

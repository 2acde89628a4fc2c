import type { AnswerPiece } from "../../llm/model.ts";
import { toAppError } from "../../llm/model-error.ts";
import { hasBrokenOff, type MessageRecord, timeOf } from "../../session/message.ts";
import type { MessageInput } from "../../session/schema.ts";
import type { CompletionRequest } from "../schema.ts";
import type { Turn, TurnRequest } from "../turn.ts";
import { END_OF_STREAM, errorText, toEvent } from "./event-stream.ts";

type CompletionTurn = Pick<
  TurnRequest,
  "question" | "before" | "since" | "system" | "model" | "parameters" | "maxOutputTokens" | "memory"
>;

/** The last message of an OpenAI request is the question. The others are history that the client has kept. */
export function completionTurn(body: CompletionRequest): CompletionTurn {
  const isInstruction = (role: string) => role === "system" || role === "developer";
  const system = body.messages.filter(({ role }) => isInstruction(role)).map(({ content }) => content);
  const messages = body.messages
    .filter(({ role, content }) => !isInstruction(role) && content !== "")
    .map(({ role, content, name }) => ({ role, content, ...(name ? { name } : {}) }) as MessageInput);
  const lastAnswer = messages.findLastIndex(({ role }) => role === "assistant");
  const { role = "user", content = "", name } = messages.at(-1) ?? {};
  return {
    question: { role, content, name },
    before: messages.slice(0, -1),
    since: messages.slice(lastAnswer + 1, -1),
    system: system.length > 0 ? system.join("\n\n") : undefined,
    model: body.model,
    parameters: body.temperature == null ? {} : { temperature: body.temperature },
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    memory: body.metadata?.memory !== false && body.metadata?.memory !== "false",
  };
}

/** Streams a turn as OpenAI does (https://platform.openai.com/docs/api-reference/chat-streaming). */
export async function* completionStream(turn: Turn, includeUsage: boolean): AsyncGenerator<string> {
  const head = {
    id: `chatcmpl-${turn.id}`,
    object: "chat.completion.chunk",
    created: createdOf(turn),
    model: turn.model,
  };
  const calls: string[] = [];
  const chunk = (delta: object, finish_reason: string | null = null, logprobs: unknown = null) =>
    toEvent({
      ...head,
      choices: [{ index: 0, delta, logprobs, finish_reason }],
      ...(includeUsage ? { usage: null } : {}),
    });
  yield chunk({ role: "assistant", content: "", refusal: null });
  try {
    for await (const next of turn.events()) {
      if (next.kind !== "end") {
        const delta = deltaOf(next, calls);
        if (delta) yield chunk(delta, null, "logprobs" in next ? next.logprobs : null);
        continue;
      }
      yield chunk({}, finishReasonOf(next.message));
      if (includeUsage) yield toEvent({ ...head, choices: [], usage: completionUsage(next.message) });
    }
    yield END_OF_STREAM;
  } catch (error) {
    yield toEvent({
      error: { message: errorText(error), type: "server_error", param: null, code: toAppError(error).code },
    });
  }
}

/** A piece of an answer as OpenAI's delta; `calls` holds the ids of the tool calls so far. `null`: the protocol has no such piece. */
function deltaOf(piece: AnswerPiece, calls: string[]): object | null {
  switch (piece.kind) {
    case "text":
      return { content: piece.text };
    case "refusal":
      return { refusal: piece.text };
    case "reasoning":
      // Not OpenAI's own, but that of most servers that show the reasoning.
      return { reasoning_content: piece.text };
    case "tool_call": {
      const fn = { name: piece.name, arguments: "" };
      return { tool_calls: [{ index: calls.push(piece.id) - 1, id: piece.id, type: "function", function: fn }] };
    }
    case "tool_input":
      return { tool_calls: [{ index: calls.indexOf(piece.id), function: { arguments: piece.text } }] };
    case "source":
      return null;
  }
}

/** Answers a turn as OpenAI does without streaming. */
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

/** OpenAI has no reason for an answer that broke off: `length` makes clients ask for the rest. */
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

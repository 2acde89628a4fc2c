import { AppError } from "../../errors.ts";
import type { AnswerPiece } from "../../llm/model.ts";
import { toAppError } from "../../llm/model-error.ts";
import { type MessageRecord, timeOf } from "../../session/message.ts";
import { bodyOf } from "../../session/parts.ts";
import type { MessageInput, Role } from "../../session/schema.ts";
import { toolPartsOf } from "../completion-content.ts";
import type { CompletionRequest } from "../schema.ts";
import type { Turn, TurnRequest } from "../turn.ts";
import { END_OF_STREAM, errorText, toEvent } from "./event-stream.ts";

type CompletionTurn = Pick<
  TurnRequest,
  | "question"
  | "path"
  | "before"
  | "beforePaths"
  | "since"
  | "system"
  | "model"
  | "parameters"
  | "maxOutputTokens"
  | "memory"
  | "incognito"
>;

/** The last message of an OpenAI request is the question. The others are history that the client has kept. */
export function completionTurn(body: CompletionRequest): CompletionTurn {
  const isInstruction = (role: string) => role === "system" || role === "developer";
  const system = body.messages.filter(({ role }) => isInstruction(role)).map(({ content }) => content.text);
  const given = body.messages.flatMap((message, n) =>
    isInstruction(message.role) ? [] : inputOf(message).map((input) => ({ input, path: `messages.${n}.` })),
  );
  const messages = given.map(({ input }) => input);
  const paths = given.map(({ path }) => path);
  const lastAnswer = messages.findLastIndex(({ role }) => role === "assistant");
  const { role = "user", content, parts, name } = messages.at(-1) ?? {};
  return {
    question: { role, name, ...bodyOf({ content, parts }) },
    path: paths.at(-1) ?? "",
    before: messages.slice(0, -1),
    beforePaths: paths.slice(0, -1),
    since: messages.slice(lastAnswer + 1, -1),
    system: system.length > 0 ? system.join("\n\n") : undefined,
    model: body.model,
    parameters: parametersOf(body),
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    incognito: body.metadata?.incognito,
    memory: body.metadata?.memory !== false && body.metadata?.memory !== "false" && !body.metadata?.incognito,
  };
}

/** Converts a message of OpenAI's request to stored messages. A message without text and without tool calls gives none. */
function inputOf(message: CompletionRequest["messages"][0]): MessageInput[] {
  const { role, content, name } = message;
  const about = { role: role as Role, ...(name ? { name } : {}) };
  const parts = toolPartsOf(message) ?? content.parts;
  if (parts) return [{ ...about, parts }];
  return content.text === "" ? [] : [{ ...about, content: content.text }];
}

/** Names the parts of messages in an error as OpenAI's request does. */
export function namedAsContent(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== "validation_failed") return error;
  const toContent = (text: string) =>
    text
      .replace(/^(messages\.\d+\.)parts\.\d+\.(tool_call_id)/, "$1$2")
      .replace(/^(messages\.\d+)\.parts\.(\d+)(\.file_id)?/, (_, message, part, isId) => {
        return `${message}.content.${part}${isId ? ".file.file_id" : ""}`;
      });
  const fields = error.fields.map(({ path, message }) => ({ path: toContent(path), message }));
  const { code, providerCode, headers } = error;
  return new AppError(code, toContent(error.message), { fields, providerCode, headers, cause: error });
}

/** All parameters but those that Memocha reads itself. */
function parametersOf(body: CompletionRequest): Record<string, unknown> {
  const { messages, model, metadata, stream, n, max_tokens, ...others } = body;
  // Clients send null for "not set", which some providers reject.
  return Object.fromEntries(Object.entries(others).filter(([, value]) => value !== null && value !== undefined));
}

/** Streams a turn as OpenAI does (https://platform.openai.com/docs/api-reference/chat-streaming). */
export async function* completionStream(turn: Turn, includeUsage: boolean): AsyncGenerator<string> {
  const head = headOf(turn, "chat.completion.chunk");
  const toDelta = createDeltas();
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
        yield chunk(toDelta(next), null, "logprobs" in next ? next.logprobs : null);
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

/** Answers a turn as OpenAI does without streaming. Throws the error of an answer that broke off. */
export async function completion(turn: Turn): Promise<object> {
  const pieces: AnswerPiece[] = [];
  for await (const next of turn.events()) {
    if (next.kind !== "end") {
      pieces.push(next);
      continue;
    }
    const { message } = next;
    const choice = { index: 0, message: messageOf(pieces), finish_reason: finishReasonOf(message) };
    return {
      ...headOf(turn, "chat.completion"),
      choices: [{ ...choice, logprobs: logprobsOf(pieces) }],
      usage: completionUsage(message),
      session_id: turn.session.id,
    };
  }
  throw new Error("a turn ended without an `end` event");
}

const headOf = ({ id, model }: Turn, object: string) => ({
  id: `chatcmpl-${id}`,
  object,
  created: Math.floor(timeOf(id) / 1000),
  model,
});

/** Turns pieces of one answer into OpenAI's deltas, in which tool calls have numbers. */
function createDeltas(): (piece: AnswerPiece) => object {
  const calls: string[] = [];
  return (piece) => {
    switch (piece.kind) {
      case "text":
        return { content: piece.text };
      case "refusal":
        return { refusal: piece.text };
      case "reasoning":
        // OpenAI has no such member. Most servers that show the reasoning use this name.
        return { reasoning_content: piece.text };
      case "tool_call": {
        const call = { id: piece.id, type: "function", function: { name: piece.name, arguments: "" } };
        return { tool_calls: [{ index: calls.push(piece.id) - 1, ...call }] };
      }
      case "tool_input":
        return { tool_calls: [{ index: calls.indexOf(piece.id), function: { arguments: piece.text } }] };
      case "source":
        return { annotations: [citationOf(piece)] };
    }
  };
}

function messageOf(pieces: readonly AnswerPiece[]): object {
  const textOf = (wanted: string): string =>
    pieces.map((piece) => ("text" in piece && piece.kind === wanted ? piece.text : "")).join("");
  const calls = pieces
    .filter((piece) => piece.kind === "tool_call")
    .map(({ id, name }) => {
      const input = pieces.map((piece) => (piece.kind === "tool_input" && piece.id === id ? piece.text : "")).join("");
      return { id, type: "function", function: { name, arguments: input } };
    });
  const sources = pieces.filter((piece) => piece.kind === "source");
  const [content, refusal, reasoning] = [textOf("text"), textOf("refusal"), textOf("reasoning")];
  const isEmpty = content === "" && (refusal !== "" || calls.length > 0);
  return {
    role: "assistant",
    content: isEmpty ? null : content,
    refusal: refusal || null,
    ...(reasoning ? { reasoning_content: reasoning } : {}),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(sources.length > 0 ? { annotations: sources.map(citationOf) } : {}),
  };
}

const citationOf = ({ url, title = "" }: Extract<AnswerPiece, { kind: "source" }>) => ({
  type: "url_citation",
  url_citation: { url, title },
});

/** The tokens' probabilities of all pieces in one object, as OpenAI gives them. */
function logprobsOf(pieces: readonly AnswerPiece[]): object | null {
  const given = pieces.flatMap((piece) => ("logprobs" in piece ? [piece.logprobs as Record<string, unknown>] : []));
  if (given.length === 0) return null;
  const all = (name: string) => {
    const tokens = given.flatMap((entry) => (Array.isArray(entry[name]) ? entry[name] : []));
    return tokens.length > 0 ? tokens : null;
  };
  return { content: all("content"), refusal: all("refusal") };
}

const finishReasonOf = ({ finish_reason = "stop" }: MessageRecord): string => finish_reason;

function completionUsage({ usage }: MessageRecord) {
  const { input_tokens = 0, cached_input_tokens = 0, output_tokens = 0, cost_usd = 0 } = usage ?? {};
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
    prompt_tokens_details: { cached_tokens: cached_input_tokens },
    cost_usd,
  };
}

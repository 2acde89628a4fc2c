import { randomId } from "../random.ts";
import type { AnswerPiece, FinishReason, ModelUsage } from "./model.ts";
import { isTokenCount } from "./tokens.ts";

export interface ChunkReader {
  /** Reads the next chunk of a stream of chat completions, and returns the pieces of the answer in it. */
  take(chunk: unknown): AnswerPiece[];
  /** Returns the rest that was held back. */
  end(): AnswerPiece[];
  /** The provider's reason for the end of the answer; absent until the end. */
  reason(): FinishReason | undefined;
  usage(): ModelUsage | null;
}

/** Maximum characters of the id and the name of a tool call. */
const MAX_ID = 256;
const MAX_NAME = 128;

type Json = Record<string, unknown>;
type ToPiece = (text: string) => AnswerPiece;

/**
 * Reads chunks in OpenAI's format (https://platform.openai.com/docs/api-reference/chat-streaming) of any provider. It checks each value, and
 * ignores values of another form. It creates the id of a tool call when the provider gives none, or the same one twice.
 */
export function createChunkReader(): ChunkReader {
  /** The first half of a surrogate pair whose second half is still to come, by kind of text. */
  const held = new Map<string, { half: string; toPiece: ToPiece }>();
  /** The tool calls so far. `given` is the provider's id. */
  const calls: { id: string; given: string; index: unknown }[] = [];
  let usage: ModelUsage | null = null;
  let reason: FinishReason | undefined;

  return {
    take(chunk) {
      const { choices, usage: counted } = objectOf(chunk);
      if (counted) usage = usageOf(objectOf(counted));
      const [choice = {}] = listOf(choices);
      if (choice.finish_reason) reason = finishReasons.get(choice.finish_reason) ?? "stop";
      return piecesOf(objectOf(choice.delta), choice.logprobs);
    },
    end: () => [...held.values()].map(({ half, toPiece }) => toPiece(half.toWellFormed())),
    // Some providers report "stop" after tool calls. OpenAI does it when the client has chosen the tool.
    reason: () => (reason === "stop" && calls.length > 0 ? "tool_calls" : reason),
    usage: () => usage,
  };

  function piecesOf(delta: Json, logprobs: unknown): AnswerPiece[] {
    const { content, refusal, reasoning_content, reasoning, tool_calls, annotations } = delta;
    const more = logprobs ? { logprobs } : {};
    return [
      // DeepSeek and vLLM use the first name, OpenRouter and LM Studio the second.
      ...repaired("reasoning", textOf(reasoning_content) || textOf(reasoning), (text) => ({ kind: "reasoning", text })),
      ...repaired("text", textOf(content), (text) => ({ kind: "text", text, ...more })),
      ...repaired("refusal", textOf(refusal), (text) => ({ kind: "refusal", text, ...more })),
      ...listOf(tool_calls).flatMap(callOf),
      ...listOf(annotations).flatMap(sourceOf),
    ];
  }

  /** A call begins with its name. Later deltas of the same index are pieces of its input. */
  function callOf(delta: Json, n: number): AnswerPiece[] {
    const fn = objectOf(delta.function);
    const name = textOf(fn.name).slice(0, MAX_NAME).toWellFormed();
    const given = textOf(delta.id).toWellFormed();
    const index = delta.index ?? n;
    const known = calls.findLast((call) => call.index === index);
    // Some providers send whole calls with the same index for all of them: distinguish these by their ids.
    const isNew = name !== "" && (!known || (given !== "" && given !== known.given));
    const isUsable = given !== "" && given.length <= MAX_ID && !calls.some(({ id }) => id === given);
    const call = isNew ? { id: isUsable ? given : `call_${randomId()}`, given, index } : known;
    if (!call) return [];
    if (isNew) calls.push(call);
    const { id } = call;
    // Some providers send the input as an object instead of its JSON text.
    const input = typeof fn.arguments === "object" && fn.arguments ? JSON.stringify(fn.arguments) : fn.arguments;
    const pieces = repaired(id, textOf(input), (text) => ({ kind: "tool_input", id, text }));
    return isNew ? [{ kind: "tool_call", id, name }, ...pieces] : pieces;
  }

  /** Joins surrogate pairs that the provider has split between two deltas, and replaces lone surrogates by U+FFFD. */
  function repaired(kind: string, text: string, toPiece: ToPiece): AnswerPiece[] {
    if (text === "") return [];
    const joined = (held.get(kind)?.half ?? "") + text;
    const half = /[\ud800-\udbff]$/.test(joined) ? joined.slice(-1) : "";
    if (half) held.set(kind, { half, toPiece });
    else held.delete(kind);
    const whole = joined.slice(0, joined.length - half.length).toWellFormed();
    return whole === "" ? [] : [toPiece(whole)];
  }
}

function sourceOf({ type, url_citation }: Json): AnswerPiece[] {
  const { url, title } = objectOf(url_citation);
  if (type !== "url_citation" || textOf(url) === "") return [];
  const named = textOf(title) ? { title: textOf(title).toWellFormed() } : {};
  return [{ kind: "source", url: textOf(url).toWellFormed(), ...named }];
}

/** Reasons that clients know. Any other reason is reported as `stop`. */
const finishReasons = new Map<unknown, FinishReason>(
  (["length", "content_filter", "tool_calls"] as const).map((reason) => [reason, reason]),
);

/** The provider's token counts; `null` when they are impossible, so that the caller estimates them. */
function usageOf({ prompt_tokens: input, completion_tokens: output, prompt_tokens_details }: Json): ModelUsage | null {
  if (!isTokenCount(input) || !isTokenCount(output)) return null;
  const { cached_tokens: cached } = objectOf(prompt_tokens_details);
  const isCached = isTokenCount(cached) && cached > 0 && cached <= input;
  return { input_tokens: input, output_tokens: output, ...(isCached ? { cached_input_tokens: cached } : {}) };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const objectOf = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(objectOf) : []);

import type OpenAI from "openai";
import { APIConnectionError, APIError } from "openai";
import { callAfter } from "../clock.ts";
import { createOpenAI } from "../openai/client.ts";
import type { FinishReason, ModelEvent, ModelPrompt, ModelRequest, ModelUsage } from "./model.ts";
import { givenUp, ModelError, type ModelFailure } from "./model-error.ts";
import type { Target } from "./targets.ts";
import { isTokenCount } from "./tokens.ts";

/** Milliseconds. */
export interface Timeouts {
  /** Until the provider has accepted the request: connection and status line. */
  connect: number;
  /** From then on until the first token, and between two tokens. */
  firstToken: number;
}

/** Asks one model of one provider, once. Resolves with its first event, so that whoever retries knows that nothing was said yet. */
export type Ask = (target: Target, prompt: ModelPrompt, request: ModelRequest) => Promise<AsyncIterable<ModelEvent>>;

type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;

/** Speaks the OpenAI API, to whichever server offers it. Connections are kept alive; `apiKey` is asked for each request. */
export function createOpenAIModel(apiKey: (provider: string) => Promise<string>, timeouts: Timeouts): Ask {
  const clients = new Map<string, OpenAI>();
  const clientOf = ({ baseUrl, provider }: Target): OpenAI => {
    const known = clients.get(baseUrl);
    if (known) return known;
    // Retries are the business of whoever knows all providers.
    const client = createOpenAI({ baseURL: baseUrl, apiKey: () => apiKey(provider), maxRetries: 0 });
    clients.set(baseUrl, client);
    return client;
  };

  return async (target, prompt, request) => {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, request.signal]);
    const step = createTimeout(abort);
    const untilFirstToken = createTimeout(abort);
    try {
      untilFirstToken.restart(request.firstTokenWithin, "the first token does not come");
      step.restart(timeouts.connect, "the provider does not answer");
      const stream = await clientOf(target).chat.completions.create(bodyOf(target, prompt, request.temperature), {
        signal,
      });
      step.restart(timeouts.firstToken, "the first token does not come");
      const events = read(stream, step, timeouts.firstToken);
      const first = await events.next();
      return resumed(first, events);
    } catch (error) {
      step.end();
      throw step.reason() ?? (request.signal.aborted ? givenUp(error) : translate(error));
    } finally {
      untilFirstToken.end();
    }
  };
}

interface Timeout {
  /** Aborts the request after so many milliseconds, in place of the previous limit. */
  restart(milliseconds: number, complaint: string): void;
  end(): void;
  /** Why the request was aborted, if a timeout did it. */
  reason(): ModelError | undefined;
}

/** A time limit for one request. Several may share one controller: the first that is exceeded gives the reason. */
function createTimeout(abort: AbortController): Timeout {
  let end: () => void = () => undefined;
  return {
    restart(milliseconds, complaint) {
      end();
      end = callAfter(milliseconds, () => abort.abort(new ModelError("down", complaint)));
    },
    end: () => end(),
    reason: () => (abort.signal.aborted ? (abort.signal.reason as ModelError) : undefined),
  };
}

/**
 * Reads the events of a response. The types of the chunks say what OpenAI sends, not what this provider sends: each value is checked. The
 * connection is closed when the caller stops reading.
 */
async function* read(chunks: AsyncIterable<Chunk>, step: Timeout, betweenTokens: number): AsyncGenerator<ModelEvent> {
  const repair = createTextRepair();
  let usage: ModelUsage | null = null;
  let reason: FinishReason | undefined;
  try {
    for await (const { choices, usage: counted } of chunks) {
      if (counted) usage = usageOf(counted.prompt_tokens, counted.completion_tokens);
      const [choice] = choices ?? [];
      if (choice?.finish_reason) reason = finishReasons.get(choice.finish_reason) ?? "stop";
      const text = repair.next(textOf(choice?.delta?.content) || textOf(choice?.delta?.refusal));
      if (!text) continue;
      step.restart(betweenTokens, "the next token does not come");
      yield { kind: "text", text };
    }
  } catch (error) {
    throw step.reason() ?? translate(error);
  } finally {
    step.end();
  }
  const reasonToAbort = step.reason();
  if (reasonToAbort) throw reasonToAbort;
  // A connection that is closed early looks like an end, but for this.
  if (!reason) throw new ModelError("down", "the answer broke off");
  const rest = repair.end();
  if (rest) yield { kind: "text", text: rest };
  yield { kind: "end", reason, usage };
}

/** Reasons that mean something to clients; a model that gives another one has stopped by itself. */
const finishReasons = new Map<unknown, FinishReason>([
  ["length", "length"],
  ["content_filter", "content_filter"],
]);

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** What the provider has counted; `null` when it cannot be true, so that the caller estimates it. */
function usageOf(input: unknown, output: unknown): ModelUsage | null {
  return isTokenCount(input) && isTokenCount(output) ? { input_tokens: input, output_tokens: output } : null;
}

/** Joins surrogate pairs that the provider has split between two deltas, and replaces lone surrogates by U+FFFD. */
function createTextRepair() {
  let held = "";
  return {
    next(text: string): string {
      const joined = held + text;
      held = /[\ud800-\udbff]$/.test(joined) ? joined.slice(-1) : "";
      return joined.slice(0, joined.length - held.length).toWellFormed();
    },
    end: (): string => held.toWellFormed(),
  };
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

function bodyOf(target: Target, { messages, maxOutputTokens }: ModelPrompt, temperature: number | undefined) {
  return {
    model: target.model,
    messages: messages.map(({ role, content, name }) => ({ role, content, ...(name ? { name } : {}) })),
    stream: true as const,
    stream_options: { include_usage: true },
    ...(temperature === undefined ? {} : { temperature }),
    // OpenAI's newer models take the one, servers that speak its API mostly the other.
    ...(target.isOpenAI ? { max_completion_tokens: maxOutputTokens } : { max_tokens: maxOutputTokens }),
  };
}

const BUSY = new Set([408, 409, 429]);
const UNUSABLE = new Set([401, 403, 404]);

function failureOf(status: number): ModelFailure {
  if (BUSY.has(status)) return "busy";
  if (status >= 500) return "down";
  // Redirects are not followed: the provider's URL is wrong, not the client's request.
  return status < 400 || UNUSABLE.has(status) ? "unusable" : "refused";
}

function translate(error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  // The client wraps what goes wrong with the key.
  if (error instanceof Error && error.cause instanceof ModelError) return error.cause;
  if (error instanceof APIConnectionError) {
    return new ModelError("down", "the provider cannot be reached", { cause: error });
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    // A reset, a chunk that is no JSON, an error event amid the answer.
    return new ModelError("down", "the answer broke off", { cause: error });
  }
  const { status, headers } = error;
  const failure = failureOf(status);
  return new ModelError(failure, `the provider answers ${status}`, {
    cause: error,
    status,
    retryAfter: retryAfterOf(headers),
  });
}

/**
 * Milliseconds; RFC 9110, section 10.2.3, and OpenAI's more precise `retry-after-ms`. A date is compared with the response's own `Date`,
 * because both are of the provider's clock.
 */
function retryAfterOf(headers: Headers | undefined): number | undefined {
  const milliseconds = Number.parseFloat(headers?.get("retry-after-ms") ?? "");
  if (milliseconds >= 0) return milliseconds;
  const after = headers?.get("retry-after");
  if (!after) return undefined;
  const seconds = Number.parseFloat(after);
  if (seconds >= 0) return seconds * 1000;
  const wait = Date.parse(after) - Date.parse(headers?.get("date") ?? "");
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

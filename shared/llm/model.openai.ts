import type OpenAI from "openai";
import { APIConnectionError, APIError } from "openai";
import { callAfter } from "../clock.ts";
import { createOpenAI } from "../openai/create-openai.ts";
import { type ModelEvent, type ModelPrompt, type ModelRequest, type PromptMessage, safeName } from "./model.ts";
import { givenUp, ModelError, type ModelFailure, type ProviderError } from "./model-error.ts";
import { type ChunkReader, createChunkReader } from "./read-chunks.ts";
import type { Target } from "./targets.ts";

/** Milliseconds. */
interface Timeouts {
  /** From the request until the provider has accepted it (connection and status line). */
  connect: number;
  /** From then on until the first token, and between two tokens. */
  firstToken: number;
}

/** Asks one model of one provider, once. Resolves with the first event, because the caller may retry until then. */
export type Ask = (target: Target, prompt: ModelPrompt, request: ModelRequest) => Promise<AsyncIterable<ModelEvent>>;

/** Creates a client for any server with the OpenAI API. It keeps connections alive, and calls `apiKey` for each request. */
export function createOpenAIModel(apiKey: (provider: string) => Promise<string>, timeouts: Timeouts): Ask {
  const clients = new Map<string, OpenAI>();
  const clientOf = ({ baseUrl, provider }: Target): OpenAI => {
    const known = clients.get(baseUrl);
    if (known) return known;
    // The resilient model retries, because it knows all providers.
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
      untilFirstToken.restart(request.firstTokenWithin, "the first token did not arrive in time");
      step.restart(timeouts.connect, "the provider did not answer in time");
      const stream = await clientOf(target).chat.completions.create(bodyOf(target, prompt, request), {
        signal,
      });
      step.restart(timeouts.firstToken, "the first token did not arrive in time");
      const events = read(stream, createChunkReader(), step, timeouts.firstToken);
      const first = await events.next();
      return resumed(first, events);
    } catch (error) {
      step.end();
      throw step.reason() ?? (request.signal.aborted ? givenUp(error) : translate(error, target.model));
    } finally {
      untilFirstToken.end();
    }
  };
}

interface Timeout {
  /** Aborts the request after these milliseconds. Replaces the previous limit. */
  restart(milliseconds: number, complaint: string): void;
  end(): void;
  /** The reason why a timeout has aborted the request; absent = no timeout has. */
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

/** Reads the events of a response. The connection is closed when the caller stops reading. */
async function* read(
  chunks: AsyncIterable<unknown>,
  reader: ChunkReader,
  step: Timeout,
  betweenTokens: number,
): AsyncGenerator<ModelEvent> {
  try {
    for await (const chunk of chunks) {
      for (const piece of reader.take(chunk)) {
        step.restart(betweenTokens, "the next token did not arrive in time");
        yield piece;
      }
    }
  } catch (error) {
    throw step.reason() ?? translate(error);
  } finally {
    step.end();
  }
  const reasonToAbort = step.reason();
  if (reasonToAbort) throw reasonToAbort;
  const reason = reader.reason();
  // Without a reason, the connection was closed before the end of the answer.
  if (!reason) throw new ModelError("down", "the answer broke off");
  yield* reader.end();
  yield { kind: "end", reason, usage: reader.usage() };
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

function bodyOf(target: Target, { messages, maxOutputTokens }: ModelPrompt, { parameters, cacheKey }: ModelRequest) {
  return {
    // Other servers with OpenAI's API may reject a parameter that they do not know.
    ...(target.isOpenAI && cacheKey ? { prompt_cache_key: cacheKey } : {}),
    ...parameters,
    model: target.model,
    messages: withToolNames(messages, parameters?.tools) as OpenAI.ChatCompletionMessageParam[],
    stream: true as const,
    stream_options: { ...(parameters?.stream_options as object), include_usage: true },
    // OpenAI's newer models need `max_completion_tokens`. Most other servers with its API need `max_tokens`, unless the client has sent the
    // newer name.
    [target.isOpenAI || parameters?.max_completion_tokens ? "max_completion_tokens" : "max_tokens"]: maxOutputTokens,
  };
}

/** Makes the names of called tools safe, except those that the request defines: the model must find these as they are. */
function withToolNames(messages: readonly PromptMessage[], tools: unknown): PromptMessage[] {
  const definitions = Array.isArray(tools) ? (tools as { function?: { name?: unknown } }[]) : [];
  const defined = new Set(definitions.map((tool) => tool.function?.name));
  return messages.map(({ tool_calls, ...message }) => {
    const calls = tool_calls?.map((call) => {
      const { name } = call.function;
      return { ...call, function: { ...call.function, name: defined.has(name) ? name : safeName(name) } };
    });
    return { ...message, ...(calls ? { tool_calls: calls } : {}) };
  });
}

const BUSY = new Set([408, 409, 429]);
/** Statuses of a wrong configuration. 402: the account has no money left. A redirect means that the URL is wrong, because none is followed. */
const MISCONFIGURED = new Set([401, 402, 403, 404]);

function failureOf(status: number, { code, message = "" }: ProviderError, model: string): ModelFailure {
  if (code === "insufficient_quota") return "misconfigured";
  if (BUSY.has(status)) return "busy";
  if (status >= 500) return "down";
  // A 404 that does not mention the model means that the URL is wrong.
  if (status === 404 && model && (code === "model_not_found" || message.includes(model))) return "unknown_model";
  return status < 400 || MISCONFIGURED.has(status) ? "misconfigured" : "refused";
}

function translate(error: unknown, model = ""): ModelError {
  if (error instanceof ModelError) return error;
  // The client wraps an error of `apiKey`.
  if (error instanceof Error && error.cause instanceof ModelError) return error.cause;
  if (error instanceof APIConnectionError) {
    return new ModelError("down", "the provider cannot be reached", { cause: error });
  }
  const said = error instanceof APIError ? saidIn(error.error) : {};
  if (!(error instanceof APIError) || error.status === undefined) {
    // The connection was reset, a chunk is not JSON, or the provider sent an error event in the middle of the answer.
    return new ModelError("down", "the answer broke off", { cause: error, said });
  }
  const { status, headers } = error;
  return new ModelError(failureOf(status, said, model), `the provider answers ${status}`, {
    cause: error,
    status,
    said,
    retryAfter: retryAfterOf(headers),
  });
}

/** Maximum characters of a provider's explanation. */
const MAX_EXPLANATION = 500;

function saidIn(error: unknown): ProviderError {
  const found = Object.entries(typeof error === "object" && error !== null ? error : {})
    .filter(([name, value]) => ["message", "code", "param"].includes(name) && value !== null && value !== "")
    .map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])
    .map(([name, text]) => [name, text?.slice(0, MAX_EXPLANATION).toWellFormed()]);
  return Object.fromEntries(found);
}

/**
 * Milliseconds; RFC 9110, section 10.2.3, and OpenAI's more precise `retry-after-ms`. A date is compared with the response's own `Date`,
 * because both come from the provider's clock.
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

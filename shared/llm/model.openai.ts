import type OpenAI from "openai";
import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from "openai";
import { createOpenAI } from "../openai/client.ts";
import type { FinishReason, ModelEvent, ModelPrompt, ModelRequest, ModelUsage } from "./model.ts";
import { ModelError } from "./model-error.ts";
import type { Target } from "./targets.ts";

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
      const events = read(stream[Symbol.asyncIterator](), step, timeouts.firstToken);
      const first = await events.next();
      return resumed(first, events);
    } catch (error) {
      step.end();
      throw step.reason() ?? translate(error);
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
  let timer: NodeJS.Timeout | undefined;
  const end = () => clearTimeout(timer);
  return {
    restart(milliseconds, complaint) {
      end();
      timer = setTimeout(() => abort.abort(new ModelError("down", complaint)), Math.max(0, milliseconds));
    },
    end,
    reason: () => (abort.signal.aborted ? (abort.signal.reason as ModelError) : undefined),
  };
}

async function* read(chunks: AsyncIterator<Chunk>, step: Timeout, betweenTokens: number): AsyncGenerator<ModelEvent> {
  let usage: ModelUsage | null = null;
  let reason: FinishReason | undefined;
  try {
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
      const { choices, usage: counted } = next.value;
      if (counted) usage = { input_tokens: counted.prompt_tokens, output_tokens: counted.completion_tokens };
      const [choice] = choices ?? [];
      if (choice?.finish_reason) reason = finishReasons[choice.finish_reason] ?? "stop";
      const text = choice?.delta?.content ?? choice?.delta?.refusal;
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
  yield { kind: "end", reason, usage };
}

const finishReasons: Record<string, FinishReason> = {
  stop: "stop",
  length: "length",
  content_filter: "content_filter",
};

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done) return;
  yield first.value;
  yield* rest;
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

function translate(error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  // The client wraps what goes wrong with the key.
  if (error instanceof Error && error.cause instanceof ModelError) return error.cause;
  if (error instanceof APIUserAbortError) return new ModelError("down", "the turn was given up", { cause: error });
  if (error instanceof APIConnectionTimeoutError || error instanceof APIConnectionError) {
    return new ModelError("down", "the provider cannot be reached", { cause: error });
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    // A reset, a chunk that is no JSON, an error event amid the answer.
    return new ModelError("down", "the answer broke off", { cause: error });
  }
  const { status, headers } = error;
  const failure = BUSY.has(status) ? "busy" : status >= 500 ? "down" : UNUSABLE.has(status) ? "unusable" : "refused";
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

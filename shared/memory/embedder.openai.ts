import { APIError } from "openai";
import { startStopwatch } from "../clock.ts";
import { AppError } from "../errors.ts";
import { createOpenAI } from "../openai/create-openai.ts";
import type { Embedder, Space } from "./embedder.ts";

/** Inputs of one request: far below the 2,048 and 300,000 tokens that OpenAI takes, and what smaller servers take too. */
const BATCH = 64;

/** Attempts beyond the first, with backoff, by the client: at 408, 409, 429 (as `Retry-After` says) and 5xx. */
const MAX_RETRIES = 4;

/** Milliseconds. */
const TIMEOUT = 10_000;

/** Digits that are kept of a number, of which DynamoDB stores two a byte: what is cut off is far below what tells vectors apart. */
const DIGITS = 4;

interface OpenAISettings {
  /** Asked for each request. */
  apiKey: () => Promise<string>;
  /** @default OpenAI's own */
  baseURL?: string | undefined;
  /** Told of each call, its retries included, once it has ended. */
  onCall?: (call: EmbeddingCall) => void;
}

export interface EmbeddingCall {
  model: string;
  /** Milliseconds. */
  duration: number;
  /** As the model counted them; absent when it did not. */
  tokens?: number;
  /** Code of what it failed with. */
  error?: string;
}

/** Embeds with a model of OpenAI or of any server that speaks its API. */
export function createOpenAIEmbedder({ apiKey, baseURL, onCall }: OpenAISettings, space: Space): Embedder {
  const client = createOpenAI({
    apiKey,
    ...(baseURL ? { baseURL } : {}),
    maxRetries: MAX_RETRIES,
    timeout: TIMEOUT,
  });

  const embedBatch = async (input: string[]): Promise<number[][]> => {
    const elapsed = startStopwatch();
    const ended = (more: Omit<EmbeddingCall, "model" | "duration">) =>
      onCall?.({ model: space.model, duration: elapsed(), ...more });
    try {
      const { data, usage } = await client.embeddings.create({
        model: space.model,
        dimensions: space.dimensions,
        encoding_format: "float",
        input,
      });
      const vectors = vectorsOf(data, input.length, space);
      const { prompt_tokens: tokens } = usage ?? {};
      // Some servers do not count tokens, or count wrongly.
      ended(tokens !== undefined && Number.isSafeInteger(tokens) && tokens >= 0 ? { tokens } : {});
      return vectors;
    } catch (error) {
      const known = translate(error);
      ended({ error: known.code });
      throw known;
    }
  };

  const embedTexts = async (texts: readonly string[]): Promise<number[][]> => {
    const vectors: number[][] = [];
    for (let start = 0; start < texts.length; start += BATCH) {
      vectors.push(...(await embedBatch(texts.slice(start, start + BATCH))));
    }
    return vectors;
  };

  return {
    space,
    embed: (passages) => embedTexts(passages.map(({ text }) => text)),
    async embedQuery(text) {
      const [vector = []] = await embedTexts([text]);
      return vector;
    },
  };
}

/** Checks the answer before anything of it is stored: servers that do not know `dimensions` ignore it. */
function vectorsOf(
  data: readonly { index: number; embedding: number[] }[],
  count: number,
  { model, dimensions }: Space,
): number[][] {
  if (data.length !== count) throw new AppError("internal", `${model} gave ${data.length} vectors for ${count} texts`);
  return data
    .toSorted((a, b) => a.index - b.index)
    .map(({ embedding }) => {
      if (embedding.length !== dimensions) {
        throw new AppError(
          "internal",
          `${model} gives ${embedding.length} dimensions, and the index has ${dimensions}`,
        );
      }
      if (!embedding.every(Number.isFinite))
        throw new AppError("internal", `${model} gives vectors that are not numbers`);
      return embedding.map((value) => Number(value.toPrecision(DIGITS)));
    });
}

function translate(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const status = error instanceof APIError ? (error.status as number | undefined) : undefined;
  const isRefusal = status !== undefined && status < 500 && status !== 408 && status !== 409 && status !== 429;
  return isRefusal
    ? new AppError("internal", `the embedding model refused a request (${status})`, { cause: error })
    : new AppError("unavailable", "the embedding model does not answer", { cause: error, retryAfter: 5 });
}

import { APIError } from "openai";
import { startStopwatch } from "../clock.ts";
import { AppError } from "../errors.ts";
import { createOpenAI } from "../openai/create-openai.ts";
import type { Embedder, Space } from "./embedder.ts";

/** Inputs of one request. OpenAI accepts 2,048, smaller servers fewer. */
const BATCH = 64;

/** Retries of the client, with backoff, after 408, 409, 429 (as `Retry-After` says) and 5xx. */
const MAX_RETRIES = 4;

/** Milliseconds. */
const TIMEOUT = 10_000;

/** Digits of a stored number. DynamoDB stores two per byte, and further digits do not change the ranking. */
const DIGITS = 4;

interface OpenAISettings {
  /** Called for each request. */
  apiKey: () => Promise<string>;
  /** @default the URL of OpenAI */
  baseURL?: string | undefined;
  /** Called after each call, which includes its retries. */
  onCall?: (call: EmbeddingCall) => void;
}

export interface EmbeddingCall {
  model: string;
  /** Milliseconds. */
  duration: number;
  /** The count of the server; absent if it does not count. */
  tokens?: number;
  /** Error code; absent = success. */
  error?: string;
}

/** Creates an embedder for a model of OpenAI, or of a server with the same API. */
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

/** Checks the vectors before they are stored. Servers that do not know `dimensions` ignore it. */
function vectorsOf(
  data: readonly { index: number; embedding: number[] }[],
  count: number,
  { model, dimensions }: Space,
): number[][] {
  if (data.length !== count)
    throw new AppError("internal", `the embedding model ${model} returned ${data.length} vectors for ${count} texts`);
  return data
    .toSorted((a, b) => a.index - b.index)
    .map(({ embedding }) => {
      if (embedding.length !== dimensions) {
        throw new AppError(
          "internal",
          `the embedding model ${model} returns ${embedding.length} dimensions, but the index has ${dimensions}`,
        );
      }
      if (!embedding.every(Number.isFinite))
        throw new AppError("internal", `the embedding model ${model} returns vectors with values that are not numbers`);
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

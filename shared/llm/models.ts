import type { ModelUsage } from "./model.ts";
import type { Encoding } from "./tokenizer.ts";

/** The limits and prices of a model. */
export interface ModelSpec {
  /** Maximum tokens of prompt and answer together. */
  context: number;
  /** USD for a million tokens of the prompt. */
  input: number;
  /** USD for a million tokens of the prompt that the provider reads from its cache. Absent = the same price as other tokens. */
  cached?: number | undefined;
  /** USD for a million tokens of the answer. */
  output: number;
  /** Absent = unknown. */
  encoding?: Encoding;
  /** Whether the model accepts images, and then also PDF. Absent = unknown. */
  images?: boolean;
}

/**
 * Known models by name. A dated version costs what the model costs, unless it is listed. `CHAT_PRICES` overrides prices. They are
 * OpenAI's list prices (https://developers.openai.com/api/docs/pricing), each compared in November 2026 with at least one public table of
 * prices, such as LiteLLM's `model_prices_and_context_window.json`. A model without `cached` has no lower price for a cache.
 */
export const knownModels: Readonly<Record<string, ModelSpec>> = {
  "gpt-5-mini": { context: 400_000, input: 0.25, cached: 0.025, output: 2, encoding: "o200k_base", images: true },
  "gpt-5-nano": { context: 400_000, input: 0.05, cached: 0.005, output: 0.4, encoding: "o200k_base", images: true },
  "gpt-5-chat-latest": {
    context: 128_000,
    input: 1.25,
    cached: 0.125,
    output: 10,
    encoding: "o200k_base",
    images: true,
  },
  "gpt-5": { context: 400_000, input: 1.25, cached: 0.125, output: 10, encoding: "o200k_base", images: true },
  "gpt-4.1-mini": { context: 1_047_576, input: 0.4, cached: 0.1, output: 1.6, encoding: "o200k_base", images: true },
  "gpt-4.1-nano": { context: 1_047_576, input: 0.1, cached: 0.025, output: 0.4, encoding: "o200k_base", images: true },
  "gpt-4.1": { context: 1_047_576, input: 2, cached: 0.5, output: 8, encoding: "o200k_base", images: true },
  "gpt-4o-mini": { context: 128_000, input: 0.15, cached: 0.075, output: 0.6, encoding: "o200k_base", images: true },
  "gpt-4o-2024-05-13": { context: 128_000, input: 5, output: 15, encoding: "o200k_base", images: true },
  "gpt-4o": { context: 128_000, input: 2.5, cached: 1.25, output: 10, encoding: "o200k_base", images: true },
  "gpt-4-turbo": { context: 128_000, input: 10, output: 30, encoding: "cl100k_base", images: true },
  "gpt-4": { context: 8192, input: 30, output: 60, encoding: "cl100k_base", images: false },
  "gpt-3.5-turbo": { context: 16_385, input: 0.5, output: 1.5, encoding: "cl100k_base", images: false },
  "o4-mini": { context: 200_000, input: 1.1, cached: 0.275, output: 4.4, encoding: "o200k_base", images: true },
  "o3-mini": { context: 200_000, input: 1.1, cached: 0.55, output: 4.4, encoding: "o200k_base", images: false },
  o3: { context: 200_000, input: 2, cached: 0.5, output: 8, encoding: "o200k_base", images: true },
  offline: { context: 128_000, input: 0, output: 0, images: false },
};

/** USD for a million tokens of text, for OpenAI's embedding models. Turns may not use them. */
const embeddingPrices: Readonly<Record<string, number>> = {
  "text-embedding-3-small": 0.02,
  "text-embedding-3-large": 0.13,
  "text-embedding-ada-002": 0.1,
};

/** Limits and prices that a deployment overrides, by name as in `knownModels`. */
export type ModelOverrides = Readonly<
  Record<string, { [K in "context" | "input" | "cached" | "output"]?: ModelSpec[K] | undefined }>
>;

/** The limits of a model that is not listed, which is probably self-hosted. */
const UNKNOWN: ModelSpec = { context: 8192, input: 0, output: 0 };

/** The end of the name of a dated version, as in `gpt-4o-2024-08-06` and `gpt-4-0613`. */
const DATE = /-(\d{4}-\d\d-\d\d|\d{4})$/;

/**
 * The limits and prices of a model. `overrides` take precedence. Other variants of a known model have its limits only, because they may
 * cost ten times as much.
 */
export function specOf(model: string, overrides: ModelOverrides = {}): ModelSpec {
  const find = <T>(table: Readonly<Record<string, T>>): T | undefined => {
    const name = [model, model.replace(DATE, "")].find((one) => Object.hasOwn(table, one));
    return name === undefined ? undefined : table[name];
  };
  const { context, input, cached, output } = find(overrides) ?? {};
  const known = find(knownModels) ?? limitsOf(model);
  return {
    ...known,
    context: context ?? known.context,
    input: input ?? known.input,
    output: output ?? known.output,
    // The listed price for cached tokens is valid only with the listed price for the prompt.
    ...(input === undefined && cached === undefined ? {} : { cached }),
  };
}

/** Returns the limits of the known model whose name is the longest prefix of this name. */
function limitsOf(model: string): ModelSpec {
  const names = Object.keys(knownModels).filter((name) => model.startsWith(`${name}-`));
  const family = knownModels[names.sort((a, b) => b.length - a.length)[0] ?? ""];
  if (!family) return UNKNOWN;
  const { cached: _, ...limits } = family;
  return { ...limits, input: 0, output: 0 };
}

/** Whether the price of a model is known. */
export function isPriced(model: string, overrides: ModelOverrides = {}): boolean {
  return specOf(model, overrides).input > 0;
}

/** Returns the cost of a call in USD. */
export function costOf(
  { input, cached = input, output }: ModelSpec,
  { input_tokens, cached_input_tokens = 0, output_tokens }: ModelUsage,
): number {
  const prompt = (input_tokens - cached_input_tokens) * input + cached_input_tokens * cached;
  // Round to billionths, to remove errors of binary fractions.
  return Math.round((prompt + output_tokens * output) * 1000) / 1e9;
}

/** Returns the USD for embedding these tokens; 0 if the price is unknown. */
export function embeddingCostOf(model: string, tokens: number, overrides: ModelOverrides = {}): number {
  return costOf(
    { context: 0, input: overrides[model]?.input ?? embeddingPrices[model] ?? 0, output: 0 },
    {
      input_tokens: tokens,
      output_tokens: 0,
    },
  );
}

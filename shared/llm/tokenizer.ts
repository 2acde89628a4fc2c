/** Encodings of OpenAI's models (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py). */
export type Encoding = "o200k_base" | "cl100k_base";

export type CountTokens = (text: string) => number;

/** Characters in a row after which a word, or a blank, is cut: the library's time grows with their square, and no token is longer. */
const LONGEST_RUN = 128;

const RUNS = new RegExp(`\\S{${LONGEST_RUN}}|\\s{${LONGEST_RUN}}`, "gu");

// An encoding is megabytes of ranks: it lies beside the bundle, and is loaded by the first turn that has to know.
const libraries = {
  o200k_base: () => import("gpt-tokenizer/encoding/o200k_base"),
  cl100k_base: () => import("gpt-tokenizer/encoding/cl100k_base"),
} as const;

/** Counts as the models of an encoding do, runs longer than a token's longest by a token or so too many. Takes a moment at first. */
export async function loadTokenizer(encoding: Encoding): Promise<CountTokens> {
  const { countTokens } = await libraries[encoding]();
  // What looks like a special token is text like any other.
  const asText = { disallowedSpecial: new Set<string>() };
  return (text) => {
    let tokens = 0;
    let from = 0;
    for (const { 0: run, index } of text.matchAll(RUNS)) {
      tokens += countTokens(text.slice(from, index + run.length), asText);
      from = index + run.length;
    }
    return tokens + countTokens(text.slice(from), asText);
  };
}

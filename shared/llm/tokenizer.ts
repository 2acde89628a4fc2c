/** Encodings of OpenAI's models (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py). */
export type Encoding = "o200k_base" | "cl100k_base";

export type CountTokens = (text: string) => number;

/** Longer words, and longer runs of blanks, are cut: the library's time grows with the square of their length, and no token is longer. */
const LONGEST_RUN = 128;

const RUNS = new RegExp(`\\S{${LONGEST_RUN}}|\\s{${LONGEST_RUN}}`, "gu");

// An encoding has megabytes of data. It is a file beside the bundle, and the first turn that needs exact counts loads it.
const libraries = {
  o200k_base: () => import("gpt-tokenizer/encoding/o200k_base"),
  cl100k_base: () => import("gpt-tokenizer/encoding/cl100k_base"),
} as const;

/** Counts tokens as the models of an encoding do; for cut words, the count is slightly too high. The first call takes longer. */
export async function loadTokenizer(encoding: Encoding): Promise<CountTokens> {
  const { countTokens } = await libraries[encoding]();
  // Treat special tokens in the text as ordinary text.
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

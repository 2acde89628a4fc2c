/** Encodings of OpenAI's models (https://github.com/openai/tiktoken/blob/main/tiktoken/model.py). */
export type Encoding = "o200k_base" | "cl100k_base";

export type CountTokens = (text: string) => number;

/** Longer words and runs of blanks are cut, because the library's time grows with the square of their length, and no token is longer. */
const LONGEST_RUN = 128;

const RUNS = new RegExp(`\\S{${LONGEST_RUN}}|\\s{${LONGEST_RUN}}`, "gu");

// An encoding has megabytes of data. The bundler puts it into a separate file, which the first turn that needs exact counts loads.
const libraries = {
  o200k_base: () => import("gpt-tokenizer/encoding/o200k_base"),
  cl100k_base: () => import("gpt-tokenizer/encoding/cl100k_base"),
} as const;

/** Counts tokens with the encoding of a model. For cut words, the count is slightly too high. The first call loads the encoding. */
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

import type { Encoding } from "../llm/tokenizer.ts";
import { type CountTokens, loadTokenizer } from "../llm/tokenizer.ts";
import { estimateTokens } from "../llm/tokens.ts";
import { MAX_CONTENT_BYTES } from "../session/schema.ts";

export interface AnswerLimit {
  /** Returns the next piece of an answer, or the beginning of it that still fits. */
  take(piece: string): Promise<string>;
  /** Whether a piece did not fit: the answer ends here. */
  isReached(): boolean;
}

/**
 * Limits an answer to `maxTokens` and to the bytes that a message may have, whatever the provider sends. The estimate of tokens is from
 * above, so the tokenizer decides once the estimate is over the limit. A model of unknown encoding is counted in OpenAI's newer one, which
 * needs the fewest tokens: no answer is cut too early.
 */
export function createAnswerLimit(maxTokens: number, encoding: Encoding = "o200k_base"): AnswerLimit {
  let bytes = 0;
  let isReached = false;
  /** Tokens of the text before `uncounted`. */
  let counted = 0;
  let uncounted = "";
  let estimated = 0;

  return {
    async take(piece) {
      let fits = withinBytes(piece, MAX_CONTENT_BYTES - bytes);
      estimated += estimateTokens(fits);
      if (counted + estimated > maxTokens) fits = withinTokens(fits, await loadTokenizer(encoding));
      else uncounted += fits;
      bytes += Buffer.byteLength(fits);
      if (fits.length < piece.length) isReached = true;
      return fits;
    },
    isReached: () => isReached,
  };

  function withinTokens(piece: string, count: CountTokens): string {
    const room = maxTokens - counted;
    const fits = longestPrefix(piece, (prefix) => count(uncounted + prefix) <= room);
    counted += count(uncounted + fits);
    uncounted = "";
    estimated = 0;
    return fits;
  }
}

function withinBytes(text: string, room: number): string {
  // A UTF-16 unit has three bytes at most.
  if (text.length * 3 <= room) return text;
  return longestPrefix(text, (prefix) => Buffer.byteLength(prefix) <= room);
}

/** The longest prefix that fits, by bisection; it does not end within a surrogate pair. */
function longestPrefix(text: string, isFitting: (prefix: string) => boolean): string {
  if (isFitting(text)) return text;
  let least = 0;
  let most = text.length;
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (isFitting(text.slice(0, middle))) least = middle;
    else most = middle;
  }
  const prefix = text.slice(0, least);
  return prefix.isWellFormed() ? prefix : prefix.slice(0, -1);
}

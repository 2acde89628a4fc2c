import type { Encoding } from "../llm/tokenizer.ts";
import { type CountTokens, loadTokenizer } from "../llm/tokenizer.ts";
import { estimateTokens } from "../llm/tokens.ts";
import { MAX_CONTENT_BYTES } from "../session/parts.ts";

interface AnswerLimit {
  /** Takes the next piece of an answer and returns the part of it that fits. */
  take(piece: string): Promise<string>;
  /** Whether a piece was cut. The answer then ends. */
  isReached(): boolean;
}

/**
 * Limits an answer to `maxTokens` and to the maximum bytes of a message, because a provider may send more than it was asked for. The
 * estimate is an upper bound, so the tokenizer counts only once the estimate exceeds the limit. A model of unknown encoding is counted
 * with OpenAI's newer encoding, which needs the fewest tokens, so that no answer is cut too early.
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
  // A UTF-16 unit has at most three bytes in UTF-8.
  if (text.length * 3 <= room) return text;
  return longestPrefix(text, (prefix) => Buffer.byteLength(prefix) <= room);
}

/** Finds the longest prefix that fits, by bisection. It does not end within a surrogate pair. */
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

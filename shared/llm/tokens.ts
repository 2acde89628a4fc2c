import type { CountTokens } from "./tokenizer.ts";

/** Tokens of a message in addition to its content (https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken). */
const PER_MESSAGE = 4;

/** Pieces that byte-pair encoders split text into before they merge: words, numbers, blanks, and anything else. */
const PIECES = /[A-Za-z]+| ?\d+|\s+|[\u00c0-\u07ff]+|[\u0800-\u1fff]+|[^\s]/gu;

/** A capital letter that is not the first one. */
const CAPITAL = /.[A-Z]/;

/**
 * Estimates the tokens of a text. The estimate is an upper bound for OpenAI's newer models, so that a text that fits by the estimate needs
 * no exact count. A test checks that the estimate is 1 to 3 times the count of their encoder, for prose in a dozen languages, code, JSON,
 * numbers and emoji.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  for (const piece of text.match(PIECES) ?? []) tokens += tokensOf(piece);
  return Math.ceil(tokens);
}

/** Whether a provider's token count is valid: a whole number that is not negative. */
export function isTokenCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Tokens of a whole prompt. */
export function promptTokens(messages: readonly { content: string; name?: string }[], count: CountTokens): number {
  return messages.reduce((sum, message) => sum + messageTokens(message, count), PER_MESSAGE);
}

export function messageTokens(
  { content, name = "" }: { content: string; name?: string | undefined },
  count: CountTokens,
): number {
  return count(content) + count(name) + PER_MESSAGE;
}

function tokensOf(piece: string): number {
  const code = piece.codePointAt(0) ?? 0;
  if (code < 0x80) {
    if (isLetter(code)) return lettersOf(piece);
    // The blank before a number is a separate token.
    if (isDigit(piece.charCodeAt(piece.length - 1)))
      return Math.ceil(piece.trim().length / 3) + (piece.startsWith(" ") ? 1 : 0);
    if (/\s/.test(piece)) return piece === " " ? 0 : 1;
    return 1;
  }
  // Accented letters, Greek, Cyrillic, Arabic: at least two characters per token. Scripts of India and Thailand: one.
  if (code < 0x800) return Math.max(1, piece.length / 2);
  if (code < 0x2000) return piece.length;
  // Chinese, Japanese, Korean: one token per character. Characters beyond, mostly emoji, are encoded byte by byte.
  return code > 0xffff ? 3 : code >= 0x2e80 ? 1.2 : 2;
}

const isLetter = (code: number): boolean => (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

function lettersOf(piece: string): number {
  // Longer runs of letters are not words of a language, and are encoded in small pieces. So are keys and hashes, which mix small and
  // capital letters.
  const density = piece.length > 24 ? 1.5 : 4.5;
  // Most words have no capital after the first letter. Testing that first takes a third less time for a prompt.
  const changes = CAPITAL.test(piece) ? (piece.match(/[a-z](?=[A-Z])|[A-Z](?=[A-Z][a-z])/g)?.length ?? 0) : 0;
  return Math.max(1.25, piece.length / density, changes + 1.25);
}

import { stemmer } from "stemmer";
import { courtesyWords, stopWords } from "./stop-words.ts";

/** Characters of a word. The rest of a longer one is ignored. */
const MAX_WORD = 40;

/** Letters of a stem. "allergic" and "allergy" differ after the sixth. */
const STEM = 6;

/** Scripts that are written without spaces. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+$/u;

/** Words, or runs of a script without spaces. */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+|[\p{L}\p{N}]+/gu;

/**
 * Returns the terms of a text in order, with repetitions: words without accents and stop words, stemmed (Porter 1980, which hardly changes
 * other languages than English). In scripts without spaces, each pair of characters is a term.
 */
export function termsOf(text: string): string[] {
  return wordsOf(text).flatMap(toTerms);
}

/** Whether a text consists of greetings, thanks, stock phrases and stop words. */
export function isCourtesy(text: string): boolean {
  return wordsOf(text).every((word) => stopWords.has(word) || courtesyWords.has(word));
}

/** Counts each term. */
export function countTerms(terms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** Returns the words of a text, or its runs of a script without spaces, in lower case and without accents. */
export function wordsOf(text: string): string[] {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").normalize("NFC").toLowerCase().match(WORD) ?? [];
}

function toTerms(word: string): string[] {
  if (stopWords.has(word)) return [];
  if (UNSPACED.test(word)) return pairsOf(word);
  return [stemmer(word.slice(0, MAX_WORD)).slice(0, STEM)];
}

function pairsOf(run: string): string[] {
  const characters = [...run];
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, n) => `${characters[n]}${character}`);
}

import { stemmer } from "stemmer";
import { courtesyWords, stopWords } from "./stop-words.ts";

/** Characters of a word that count: what is longer is no word. */
const MAX_WORD = 40;

/** Letters of a stem that count: "allergic" and "allergy" differ after the sixth. */
const STEM = 6;

/** Scripts that are written without spaces. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+$/u;

/** Words, or runs of one of those scripts. */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+|[\p{L}\p{N}]+/gu;

/**
 * What a text is about, in order, repetitions included: its words without accents and stop words, stemmed (Porter 1980, which
 * leaves other languages than English as they are, nearly); of scripts without spaces, each pair of characters.
 */
export const termsOf = (text: string): string[] => wordsOf(text).flatMap(toTerms);

/** Whether a text says nothing beyond greetings, thanks and stock phrases. */
export const isCourtesy = (text: string): boolean =>
  wordsOf(text).every((word) => stopWords.has(word) || courtesyWords.has(word));

/** How often each term occurs. */
export function countTerms(terms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** The words of a text, or its runs of a script without spaces, in lower case and without accents. */
export const wordsOf = (text: string): string[] =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").normalize("NFC").toLowerCase().match(WORD) ?? [];

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

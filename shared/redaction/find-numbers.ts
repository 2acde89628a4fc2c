import { cards } from "./cards.ts";
import { nationalIds } from "./national-ids.ts";
import type { NumberRule, Span } from "./rules.ts";

/** Characters before a number that are searched for its word. */
const WORD_DISTANCE = 48;

const DIGIT = 0;
const LETTER = 1;
const OTHER = 2;

/** The pattern of a run of digits and letters: a 1, then a bit for each of them. */
function addToPattern(pattern: number, type: number): number {
  return pattern > 2 ** 30 ? pattern : pattern * 2 + type;
}

function typeAt(text: string, n: number): number {
  const code = text.charCodeAt(n);
  if (code >= 48 && code <= 57) return DIGIT;
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122) ? LETTER : OTHER;
}

/** Rules by the pattern of their first run of digits and letters, longest shape first. */
const byFirstRun = new Map<number, { shape: string; rule: NumberRule }[]>();
for (const { shape, rule } of [...cards, ...nationalIds]
  .flatMap((each) => each.shapes.map((text) => ({ shape: text, rule: each })))
  .sort((a, b) => b.shape.length - a.shape.length)) {
  let pattern = 1;
  for (const char of /^[9A]+/.exec(shape)?.[0] ?? "") pattern = addToPattern(pattern, char === "9" ? DIGIT : LETTER);
  byFirstRun.set(pattern, [...(byFirstRun.get(pattern) ?? []), { shape, rule }]);
}

/**
 * Finds numbers of cards and national ids by the pattern of each run of digits and letters. It compares character codes, because this takes
 * a tenth of the time of a regular expression in a text with many short numbers.
 */
export function findNumbers(text: string): Span[] {
  const spans: Span[] = [];
  const present = new Map<RegExp, boolean>();
  let last = 0;
  let start = 0;
  let pattern = 1;
  for (let n = 0; n <= text.length; n++) {
    const type = typeAt(text, n);
    if (type !== OTHER) {
      pattern = addToPattern(pattern, type);
      continue;
    }
    const fitting = start < last ? undefined : byFirstRun.get(pattern)?.find(fits);
    if (fitting) {
      last = start + fitting.shape.length;
      spans.push({ kind: fitting.rule.kind, start, end: last });
    }
    start = n + 1;
    pattern = 1;
  }
  return spans;

  function fits({ shape, rule: { check, words } }: { shape: string; rule: NumberRule }): boolean {
    if (!hasShape(text, start, shape) || (words && !isPresent(words)) || isPartOfLonger(text, start, shape.length))
      return false;
    if (
      !check(
        text
          .slice(start, start + shape.length)
          .replace(/[^A-Za-z0-9]/g, "")
          .toUpperCase(),
      )
    )
      return false;
    return !words || words.test(text.slice(Math.max(0, start - WORD_DISTANCE), start));
  }

  /** Whether the text contains one of the words. Computed once, so that a text with many numbers and no words is not searched for each number. */
  function isPresent(words: RegExp): boolean {
    let is = present.get(words);
    if (is === undefined) {
      is = words.test(text);
      present.set(words, is);
    }
    return is;
  }
}

function hasShape(text: string, start: number, shape: string): boolean {
  for (let n = 0; n < shape.length; n++) {
    const expected = shape.charCodeAt(n);
    const type = typeAt(text, start + n);
    const is =
      expected === 57 ? type === DIGIT : expected === 65 ? type === LETTER : expected === text.charCodeAt(start + n);
    if (!is) return false;
  }
  return true;
}

function isPartOfLonger(text: string, start: number, length: number): boolean {
  return (
    /[\p{Script=Latin}\d_]$|\d[.,/-]$/u.test(text.slice(Math.max(0, start - 2), start)) ||
    /^(?:[\p{Script=Latin}\d_]|[.,/-]\d)/u.test(text.slice(start + length, start + length + 2))
  );
}

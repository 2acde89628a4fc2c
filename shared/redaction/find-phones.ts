import type { Span } from "./rules.ts";

/**
 * Minimum and maximum digits of national numbers by calling code, for the most frequent codes (Recommendation ITU-T E.164 and national
 * numbering plans). Numbers with other codes have `OTHER_DIGITS`.
 */
const DIGITS_BY_CODE: Record<string, readonly [least: number, most: number]> = {
  1: [10, 10],
  7: [10, 10],
  20: [8, 10],
  27: [9, 9],
  30: [10, 10],
  31: [9, 9],
  32: [8, 9],
  33: [9, 9],
  34: [9, 9],
  36: [8, 9],
  39: [6, 11],
  40: [9, 9],
  41: [9, 9],
  43: [6, 13],
  44: [9, 10],
  45: [8, 8],
  46: [7, 9],
  47: [8, 8],
  48: [9, 9],
  49: [6, 11],
  52: [10, 11],
  54: [10, 11],
  55: [10, 11],
  56: [9, 9],
  57: [8, 10],
  60: [7, 10],
  61: [9, 9],
  62: [8, 12],
  63: [8, 10],
  64: [8, 10],
  65: [8, 8],
  66: [8, 9],
  81: [9, 10],
  82: [8, 10],
  84: [9, 10],
  86: [10, 11],
  90: [10, 10],
  91: [10, 10],
  92: [9, 10],
  351: [9, 9],
  353: [7, 9],
  358: [6, 11],
  380: [9, 9],
  420: [9, 9],
};
const OTHER_DIGITS = [6, 12] as const;

/** Maximum digits of a number without a calling code. */
const MOST_NATIONAL = 13;

/** Characters before a number that are searched for a word such as "phone". */
const ANNOUNCED_DISTANCE = 48;

/** Calling codes have one, two or three digits, and the first two digits determine how many. */
const CODE = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d)/;

const INTERNATIONAL = /(?<![\w+])(?:\+|%2B|00(?=[1-9]))[(\d][\d ()./-]{5,24}\d(?!\w)/g;
const NATIONAL = /(?<![\w+,:-]|\d[./ ])[(\d][\d ()./-]{6,20}\d(?![A-Za-wyz\d_])/g;

/** Formats of national numbers that are rarely used for anything else. */
const FORMATS = [
  // North America
  /^(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-. ]\d{4}$/,
  // An area code in parentheses
  /^\(0?\d{1,4}\) ?\d{3,5}[ -]?\d{3,4}$/,
  // A trunk prefix 0, then groups
  /^0[1-9]\d{0,3}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}$/,
  /^0[1-9]\d{0,3}[ /-]\d{5,8}$/,
];

/** Words that say that a phone number follows, with at most a few words in between. */
const ANNOUNCED = new RegExp(
  `(?:${[
    "phone|mobile|cell|\\btel\\b|\\btel[.:]|telef|teléf|téléphone|tél\\b|\\btlf|\\bfax|whatsapp|\\bzap\\b|\\bsms\\b|\\btext\\b|\\bcall\\b|\\bring\\b|\\bbel\\b",
    "contact (?:no|number)|(?:my|her|his|your) number|handy|rufnummer|erreichbar|portable|mon numéro|appelez|móvil|celular|llam[ae]|mi número",
    "ligue|cellulare|numer|zadzwoń|nummer|\\bhp\\b|điện thoại|телефон|тел\\.|мой номер|звоните",
    "puhelin|telp|电话|手机|電話|전화|هاتف|טלפון",
  ].join("|")})[^\\d\\n]{0,24}$`,
  "i",
);

/** A date or a range of years. */
const DATE =
  /^(?:\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d|(?:19|20)\d\d[01]\d[0-3]\d$)/;

/** Finds phone numbers. A number without a calling code needs a typical format, or a word such as "phone" before it. */
export function findPhones(text: string): Span[] {
  const found: Span[] = [];
  for (const { 0: match, index } of text.matchAll(INTERNATIONAL)) {
    const prefix = /^(?:\+|%2B|00)/.exec(match)?.[0] ?? "";
    const code = CODE.exec(match.slice(prefix.length))?.[0];
    if (!code) continue;
    const [least, most] = DIGITS_BY_CODE[code] ?? OTHER_DIGITS;
    // Allow one more digit for a trunk prefix 0 in parentheses, which is not dialled: +44 (0)20 …
    const number = firstGroups(match.slice(prefix.length), code.length + most + (match.includes("(0") ? 1 : 0));
    if (digitsOf(number) < code.length + least) continue;
    found.push({ kind: "phone", start: index, end: index + prefix.length + number.length });
  }
  // Merge the national numbers with the international ones, in order. Skip a national number that begins within another number.
  let n = 0;
  const all: Span[] = [];
  for (const { 0: match, index: start } of text.matchAll(NATIONAL)) {
    for (let span = found[n]; span && span.start <= start; span = found[++n]) all.push(span);
    const number = firstGroups(match, MOST_NATIONAL);
    if (start < (all.at(-1)?.end ?? 0)) continue;
    if (!isNational(number, text.slice(Math.max(0, start - ANNOUNCED_DISTANCE), start))) continue;
    const extension = /^x\d{1,6}(?!\w)/.exec(text.slice(start + number.length, start + number.length + 8))?.[0] ?? "";
    all.push({ kind: "phone", start, end: start + number.length + extension.length });
  }
  return [...all, ...found.slice(n)];
}

function isNational(number: string, before: string): boolean {
  const digits = digitsOf(number);
  if (digits < 8 || DATE.test(number)) return false;
  if (digits >= 9 && FORMATS.some((format) => format.test(number))) return true;
  const groups = number.split(/[ ()./-]+/).filter(Boolean);
  // Later groups have at least two digits. The first group has one digit only if it is the trunk prefix 1 or 8.
  if (groups.slice(1).some((group) => group.length < 2) || /^[02-79](?!\d)/.test(number)) return false;
  return ANNOUNCED.test(before);
}

/** Returns the first groups of digits that have at most `most` digits together. */
function firstGroups(number: string, most: number): string {
  let end = 0;
  let digits = 0;
  for (const { 0: group, index } of number.matchAll(/\d+/g)) {
    digits += group.length;
    if (digits > most) break;
    end = index + group.length;
  }
  return number.slice(0, end);
}

const digitsOf = (number: string): number => number.replace(/\D/g, "").length;

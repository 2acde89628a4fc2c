import { isIPv4, isIPv6 } from "node:net";
import { findNumbers } from "./find-numbers.ts";
import { findPhones } from "./find-phones.ts";
import { findSecrets } from "./find-secrets.ts";
import type { Span } from "./rules.ts";

/** The character that replaces the parts which an earlier finder has found. No finder matches it. */
const CLAIMED = "\0";

/** The finders, the strictest first, because a part that one finder has found is hidden from the later ones. */
const finders: readonly ((text: string) => Span[])[] = [
  findSecrets,
  findEmails,
  findIbans,
  findAddresses,
  findNumbers,
  findPhones,
];

/** Finds personal data and secrets in a text. The time is proportional to the length of the text, for any content. */
export function findPersonal(text: string): Span[] {
  const spans: Span[] = [];
  let rest = text;
  for (const find of finders) {
    const found = find(rest);
    rest = replaceSpans(rest, found, ({ start, end }) => CLAIMED.repeat(end - start));
    spans.push(...found);
  }
  return spans.sort((a, b) => a.start - b.start);
}

/** Replaces spans. They must be sorted and must not overlap. */
export function replaceSpans(text: string, spans: readonly Span[], replacement: (span: Span) => string): string {
  if (spans.length === 0) return text;
  const pieces: string[] = [];
  let last = 0;
  for (const span of spans) {
    pieces.push(text.slice(last, span.start), replacement(span));
    last = span.end;
  }
  return pieces.join("") + text.slice(last);
}

// The pattern starts at the `@` and has a lookbehind, so that a text without `@` is scanned once.
const EMAIL =
  /(?<=([\p{Script=Latin}\d._%+'-]{1,64}))@(?:[\p{Script=Latin}\d](?:[\p{Script=Latin}\d-]{0,62})\.){1,8}\p{Script=Latin}{2,24}/gu;

function findEmails(text: string): Span[] {
  let last = 0;
  return [...text.matchAll(EMAIL)].flatMap(({ 0: domain, 1: before = "", index }) => {
    // The lookbehind can reach into the domain of the previous address.
    const local = before.slice(-Math.max(1, index - last)).replace(/^[.'%-]+/, "");
    if (local === "" || index === last) return [];
    last = index + domain.length;
    return [{ kind: "email", start: index - local.length, end: last } satisfies Span];
  });
}

/** Lengths of IBANs by country: the IBAN registry of SWIFT, release 99. */
const IBAN_LENGTHS = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 " +
    "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 " +
    "MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 " +
    "SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

const IBAN_START = /(?<![A-Za-z0-9])[A-Za-z]{2}\d\d(?=[ -]?[A-Za-z0-9]{2})/g;

function findIbans(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: begin, index: start } of text.matchAll(IBAN_START)) {
    const length = IBAN_LENGTHS.get(begin.slice(0, 2).toUpperCase());
    if (length === undefined || start < (spans.at(-1)?.end ?? 0)) continue;
    let compact = "";
    let end = start;
    for (; compact.length < length && end < text.length; end++) {
      const char = text.charAt(end);
      if (/[A-Za-z0-9]/.test(char)) compact += char;
      else if (!/[ -]/.test(char) || /[ -]/.test(text.charAt(end - 1))) break;
    }
    if (compact.length === length && !/[A-Za-z0-9]/.test(text.charAt(end)) && hasIbanCheck(compact.toUpperCase())) {
      spans.push({ kind: "iban", start, end });
    }
  }
  return spans;
}

/** The check of ISO 13616: move the first four characters to the end, replace letters by numbers from 10 on; the remainder by 97 must be 1. */
function hasIbanCheck(iban: string): boolean {
  let rest = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

// Excludes versions, versions of products such as `Chrome/120.0.0.0`, paths of Windows and numbers of sections.
const NOT_ADDRESS = /(?:\bversion:?|\bv\.?|\bsection|\bchapter|§|\boid|[a-z0-9]\/|\\)\s?$/i;
const IP_V4 = /(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)/g;
const IP_V6 = /(?<![\w:.])(?:[\da-f]{1,4}:|::)[\da-f:.]{1,40}/gi;

function findAddresses(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: match, index: start } of text.matchAll(IP_V6)) {
    const address = match.replace(/\.+$|(?<!:):$/, "");
    const end = start + address.length;
    const isShort = !/^(?:::.|[\da-f]{3}|(?:[\da-f]+:){7})/i.test(address) && text.charAt(start - 1) !== "[";
    if (isIPv6(address) && !isShort && !/\w/.test(text.charAt(end))) spans.push({ kind: "ip", start, end });
  }
  const six = new Set(spans.flatMap(({ start, end }) => (end - start > 15 ? [end] : [])));
  for (const { 0: match, index: start } of text.matchAll(IP_V4)) {
    const end = start + match.length;
    if (six.has(end) || !isIPv4(match) || NOT_ADDRESS.test(text.slice(Math.max(0, start - 10), start))) continue;
    spans.push({ kind: "ip", start, end });
  }
  return spans.sort((a, b) => a.start - b.start);
}

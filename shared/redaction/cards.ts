import type { NumberRule } from "./rules.ts";

/** First digits and lengths of card numbers (ISO/IEC 7812): Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro, RuPay, Mir. */
const ISSUERS =
  /^(?:4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)\d{12,14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|(?:6011|64[4-9]|65)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,12}|(?:60|81|82|508)\d{13,14}|220[0-4]\d{12})$/;

const plain = [13, 14, 15, 16, 17, 18, 19].map((length) => "9".repeat(length));
const grouped = [" ", "-"].flatMap((separator) =>
  ["9999 9999 9999 9999", "9999 9999 9999 9999 999", "9999 999999 99999", "9999 999999 9999"].map((shape) =>
    shape.replaceAll(" ", separator),
  ),
);

export const cards: readonly NumberRule[] = [
  { kind: "card", shapes: [...plain, ...grouped], check: (value) => ISSUERS.test(value) && isLuhn(value) },
];

/** ISO/IEC 7812-1, annex B. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let n = 0; n < digits.length; n++) {
    const digit = digits.charCodeAt(digits.length - 1 - n) - 48;
    sum += n % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

/** Where a codice fiscale has digits. If two people would have the same one, letters replace some of them (omocodia). */
const DIGITS = [6, 7, 9, 10, 12, 13, 14];
/** The letters that replace the digits from 0 to 9. */
const LETTERS = "LMNPQRSTUV";

/** The values of 0 to 9, and of A to Z, at an odd place, counted from 1. */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** The shapes of a codice fiscale, with a letter in place of any of its digits. */
export const codiceFiscaleShapes: readonly string[] = DIGITS.reduce<readonly string[]>(
  (shapes, at) => shapes.flatMap((shape) => [shape, `${shape.slice(0, at)}A${shape.slice(at + 1)}`]),
  ["AAAAAA99A99A999A"],
);

/** Whether a text of this shape has a valid month and day of birth, and the right check letter. */
export function isCodiceFiscale(value: string): boolean {
  const digits = DIGITS.map((at) =>
    value.charAt(at) > "9" ? LETTERS.indexOf(value.charAt(at)) : Number(value.charAt(at)),
  );
  // 40 is added to the day of birth of women.
  const day = (Number(digits[2]) * 10 + Number(digits[3])) % 40;
  if (digits.includes(-1) || day < 1 || day > 31) return false;
  let total = 0;
  for (let n = 0; n < 15; n++) {
    const code = value.charCodeAt(n);
    const place = code > 64 ? code - 65 : code - 48;
    total += n % 2 === 0 ? (ODD[place] ?? 0) : place;
  }
  return /^.{8}[ABCDEHLMPRST]/.test(value) && value.charCodeAt(15) - 65 === total % 26;
}

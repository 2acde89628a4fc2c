/** Kinds of personal data that redaction finds. */
export type PersonalKind = "email" | "phone" | "card" | "iban" | "ip" | "national_id" | "secret";

/** A part of a text, by offsets in UTF-16 code units. */
export interface Span {
  kind: PersonalKind;
  start: number;
  end: number;
}

/** A kind of number with a check digit, or with a distinct shape. */
export interface NumberRule {
  kind: PersonalKind;
  /** The shape: `9` = a digit, `A` = a letter, other characters stand for themselves. */
  shapes: readonly string[];
  /** Whether a text is such a number. It gets the digits and letters without separators, in upper case. */
  check: (value: string) => boolean;
  /**
   * Words of which one must come before the number. Needed for shapes that other numbers have too, because one of ten random numbers has
   * a valid check digit.
   */
  words?: RegExp;
}

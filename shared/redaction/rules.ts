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
  /** How it is written: `9` = a digit, `A` = a letter, other characters as they are. */
  shapes: readonly string[];
  /** Whether the digits and letters, without separators and in upper case, are such a number. */
  check: (value: string) => boolean;
  /**
   * Words of which one must stand before the number. For shapes that other numbers have too, because one of ten numbers at random
   * passes a check digit.
   */
  words?: RegExp;
}

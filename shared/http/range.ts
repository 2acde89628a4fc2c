import { invalidInput } from "../errors.ts";

/** The format of a time in answers and cursors. */
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface Range {
  /** Inclusive. */
  from?: string | undefined;
  /** Exclusive. */
  to?: string | undefined;
}

export function isInRange(instant: string, { from, to }: Range): boolean {
  return (from === undefined || instant >= from) && (to === undefined || instant < to);
}

/** Throws `validation_failed` if the range ends before it begins. */
export function checkRange({ from, to }: Range): void {
  if (from === undefined || to === undefined || from < to) return;
  throw invalidInput({ path: "to", message: "must be later than from" });
}

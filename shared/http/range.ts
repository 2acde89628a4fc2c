import { AppError } from "../errors.ts";

/** A time as the API writes it. */
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Throws `validation_failed` for a range that ends before it begins. */
export function checkRange({ from, to }: { from?: string | undefined; to?: string | undefined }): void {
  if (from === undefined || to === undefined || from < to) return;
  throw new AppError("validation_failed", "to: must be later than from", {
    fields: [{ path: "to", message: "must be later than from" }],
  });
}

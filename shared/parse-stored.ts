import { AppError } from "./errors.ts";

/**
 * Parses JSON that Memocha has stored; `what` names it. Use this for all content of users, because the error of `JSON.parse` quotes the text,
 * and errors are written to logs and dead letters.
 */
export function parseStored<T>(text: unknown, what: string): T {
  try {
    return JSON.parse(String(text)) as T;
  } catch {
    throw new AppError("internal", `${what} is not JSON`);
  }
}

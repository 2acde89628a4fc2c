import { AppError } from "./errors.ts";

/**
 * Parses JSON that Memocha has stored; `what` names it. Use this for everything that holds what users say: the error of `JSON.parse` quotes the
 * text, and errors get into logs and dead letters.
 */
export function parseStored<T>(text: unknown, what: string): T {
  try {
    return JSON.parse(String(text)) as T;
  } catch {
    throw new AppError("internal", `${what} is not JSON`);
  }
}

import { AppError } from "../errors.ts";
import { sha256 } from "../hash.ts";

/** Hex digits of the hash of the query that a cursor belongs to. */
const BINDING = 16;

/**
 * Makes a cursor for one user and one query. It is readable, but a client that changes it gets no access to other data, because the user in
 * every key comes from the token.
 */
export function encodeCursor(scope: readonly unknown[], position: readonly string[]): string {
  return Buffer.from(JSON.stringify([bindingOf(scope), ...position])).toString("base64url");
}

/**
 * Returns the position in a cursor, one part per pattern, or no part for the first page. Throws `invalid_cursor` if the cursor belongs
 * to another scope.
 */
export function decodeCursor(
  scope: readonly unknown[],
  cursor: string | undefined,
  patterns: readonly RegExp[],
): string[] {
  if (cursor === undefined) return [];
  const [binding, ...position] = parse(cursor);
  const isValid =
    binding === bindingOf(scope) &&
    position.length === patterns.length &&
    position.every((part, n) => typeof part === "string" && patterns[n]?.test(part));
  if (!isValid) throw invalidCursor();
  return position as string[];
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value)) return value;
  } catch {
    // The error is the same for every invalid cursor.
  }
  throw invalidCursor();
}

const bindingOf = (scope: readonly unknown[]): string => sha256(JSON.stringify(scope)).slice(0, BINDING);

/** The error for a cursor that this list did not return for this query. */
export function invalidCursor(): AppError {
  return new AppError("invalid_cursor", "the cursor does not belong to this list and query: start without a cursor", {
    fields: [{ path: "cursor", message: "does not belong to this list and query" }],
  });
}

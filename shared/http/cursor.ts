import { AppError } from "../errors.ts";
import { sha256 } from "../hash.ts";

/** Hex digits of the hash that ties a cursor to its query. */
const BINDING = 16;

/**
 * An opaque cursor that belongs to one user and one query. What it holds can be read by whoever has it, but it reaches
 * nothing that its user could not ask for anyway: the user in every key comes from the token.
 */
export function encodeCursor(scope: readonly unknown[], position: readonly string[]): string {
  return Buffer.from(JSON.stringify([bindingOf(scope), ...position])).toString("base64url");
}

/** The position in a cursor of this scope, with as many parts as there are patterns. Throws `invalid_cursor`. */
export function decodeCursor(scope: readonly unknown[], cursor: string, patterns: readonly RegExp[]): string[] {
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
    // Whatever is wrong with it, the answer is the same.
  }
  throw invalidCursor();
}

const bindingOf = (scope: readonly unknown[]): string => sha256(JSON.stringify(scope)).slice(0, BINDING);

/** What a list says to a cursor that it cannot have given. */
export const invalidCursor = (): AppError =>
  new AppError("invalid_cursor", "the cursor is not one that this list gave for this query", {
    fields: [{ path: "cursor", message: "is not a cursor of this query" }],
  });

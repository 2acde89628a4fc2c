import { AppError, invalidInput } from "../errors.ts";

/** Maximum bytes of a request body. Lambda accepts 6 MB for the whole event, in which the quotes of the body are escaped. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Maximum levels of nested JSON in a body. */
const MAX_DEPTH = 64;

/**
 * Parses a JSON body; `undefined` = no body. Throws `payload_too_large`, `bad_request` for a body that is not UTF-8 or not
 * JSON, and `validation_failed` for values that the store would change.
 */
export function parseBody(body: string | null, isBase64Encoded: boolean): unknown {
  const text = body === null || body === "" ? "" : decode(body, isBase64Encoded);
  if (text.trim() === "") return undefined;
  if (depthOf(text) > MAX_DEPTH)
    throw new AppError("bad_request", `the body has more than ${MAX_DEPTH} levels of nested JSON`);
  const value = parse(text);
  refuseUnstorable(value, []);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("bad_request", `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Refuses keys `__proto__`, because a copy of an object loses them, and lone surrogates, because UTF-8 cannot encode them. */
function refuseUnstorable(value: unknown, path: readonly string[]): void {
  if (typeof value === "string" && !value.isWellFormed()) throw unstorable(path, LONE_SURROGATE);
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "__proto__") throw unstorable([...path, key], "cannot be used as a key");
    if (!key.isWellFormed()) throw unstorable([...path, key.toWellFormed()], LONE_SURROGATE);
    refuseUnstorable(inner, [...path, key]);
  }
}

const LONE_SURROGATE = "contains a lone surrogate, which is not valid Unicode";

function unstorable(parts: readonly string[], message: string): AppError {
  return invalidInput({ path: parts.join("."), message });
}

function decode(body: string, isBase64Encoded: boolean): string {
  const size = isBase64Encoded ? (body.length / 4) * 3 - 2 : Buffer.byteLength(body);
  if (size > MAX_BODY_BYTES) throw new AppError("payload_too_large", `the body has more than ${MAX_BODY_BYTES} bytes`);
  if (!isBase64Encoded) return wellFormed(body);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(body, "base64"));
  } catch (cause) {
    throw new AppError("bad_request", "the body is not valid UTF-8", { cause });
  }
}

/**
 * The gateway passes JSON as bytes, and bodies of other media types as text, in which U+FFFD replaces bytes that are not UTF-8.
 * A client that sends U+FFFD itself can send the body as application/json.
 */
function wellFormed(text: string): string {
  if (!text.includes("\uFFFD")) return text;
  throw new AppError("bad_request", "the body is not valid UTF-8; if it contains U+FFFD, send it as application/json");
}

/** Counts the levels of brackets outside of strings. It does not parse the text, because a parser recurses and could exceed the stack. */
function depthOf(text: string): number {
  let deepest = 0;
  let depth = 0;
  let inString = false;
  for (let n = 0; n < text.length; n++) {
    const char = text.charCodeAt(n);
    if (inString) {
      if (char === BACKSLASH) n++;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === BRACE || char === BRACKET) deepest = Math.max(deepest, ++depth);
    else if (char === BRACE + 2 || char === BRACKET + 2) depth--;
  }
  return deepest;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;

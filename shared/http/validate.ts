import type * as z from "zod";
import { AppError } from "../errors.ts";

/** Bytes that a request body may have: Lambda's own limit is 6 MB with the event around it, in which quotes are escaped. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Levels that JSON in a body may nest. */
const MAX_DEPTH = 64;

/** The value as the schema sees it. Throws `validation_failed`, naming each field by its path from `root`. */
export function validate<T extends z.ZodType>(schema: T, value: unknown, root = ""): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = flatten(result.error.issues).map(({ path, message }) => ({
    path: [root, ...path].filter((part) => part !== "").join("."),
    message,
  }));
  const [first] = fields;
  throw new AppError(
    "validation_failed",
    first ? `${first.path || "body"}: ${first.message}` : "the input is invalid",
    {
      fields,
    },
  );
}

interface Flat {
  path: PropertyKey[];
  message: string;
}

/** Issues with those of unions unfolded: of the alternatives, the one that the input came closest to. */
function flatten(
  issues: readonly z.core.$ZodIssue[],
  above: PropertyKey[] = [],
): { path: string[]; message: string }[] {
  return issues.flatMap((issue): { path: string[]; message: string }[] => {
    const path = [...above, ...issue.path];
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const closest = issue.errors.reduce((best, other) => (depth(other) > depth(best) ? other : best));
      return flatten(closest, path);
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => text({ path: [...path, key], message: "is not a known field" }));
    }
    return [text({ path, message: issue.message })];
  });
}

const text = ({ path, message }: Flat): { path: string[]; message: string } => ({ path: path.map(String), message });

// An alternative that fails deeper inside was matched further; with equal depth, the one with fewer complaints.
const depth = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(...issues.map((issue) => issue.path.length)) - issues.filter((i) => i.code === "unrecognized_keys").length;

/** The JSON of a body. Throws `payload_too_large`, or `bad_request` for what is not UTF-8 or not JSON. */
export function parseBody(body: string | null, isBase64Encoded: boolean): unknown {
  const text = body === null || body === "" ? "" : decode(body, isBase64Encoded);
  if (text.trim() === "") return undefined;
  if (depthOf(text) > MAX_DEPTH) throw new AppError("bad_request", `the body nests deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("bad_request", `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

function decode(body: string, isBase64Encoded: boolean): string {
  const size = isBase64Encoded ? (body.length / 4) * 3 - 2 : Buffer.byteLength(body);
  if (size > MAX_BODY_BYTES) throw new AppError("payload_too_large", `the body has more than ${MAX_BODY_BYTES} bytes`);
  if (!isBase64Encoded) return body;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(body, "base64"));
  } catch (cause) {
    throw new AppError("bad_request", "the body is not valid UTF-8", { cause });
  }
}

/** How deep the brackets outside of strings nest, without parsing: a parser would recurse on them. */
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

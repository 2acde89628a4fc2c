/** The layout of a file, and where its records begin. */
export type Layout =
  | { kind: "empty" }
  | { kind: "lines"; start: number }
  /** `start` is the position after the array's bracket. `around` is the number of open brackets around the array. */
  | { kind: "array"; start: number; around: 0 | 1 }
  | { kind: "values"; start: number }
  | { kind: "html" }
  | { kind: "foreign"; problem: string };

/** Bytes at the beginning of a file in which its layout must show. */
export const SNIFF_BYTES = 1024 * 1024;

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Detects the layout of a file from its first bytes, not from its name: an array, an object with an array `conversations`, or one
 * record per line. Returns undefined when it needs more bytes.
 * @param final whether no more bytes can be given, so that the function must decide
 */
export function detectLayout(head: Buffer, final: boolean): Layout | undefined {
  const foreign = detectForeign(head);
  if (foreign) return { kind: "foreign", problem: foreign };
  const bom = head.subarray(0, 3).equals(BOM) ? 3 : 0;
  const first = head.subarray(bom).findIndex((byte) => byte > 0x20);
  if (first === -1) return final ? { kind: "empty" } : undefined;
  const start = bom + first;
  if (head[start] === 0x5b) return { kind: "array", start: start + 1, around: 0 };
  if (/^<(!doctype html|html)/i.test(head.toString("latin1", start, start + 20))) return { kind: "html" };
  // The first record is not an object. Read lines, so that the line is reported as a bad record.
  if (head[start] !== 0x7b) return { kind: "lines", start: bom };
  const array = findArray(head, start, "conversations");
  if (array === "unseen" && !final) return undefined;
  if (typeof array === "number") return { kind: "array", start: array, around: 1 };
  return takesSeveralLines(head, start) ? { kind: "values", start } : { kind: "lines", start: bom };
}

/** Whether the first record continues on the next line. In JSON Lines a record begins there, also after a line that was cut off. */
function takesSeveralLines(head: Buffer, start: number): boolean {
  const end = head.indexOf(0x0a, start);
  if (end === -1) return false;
  const first = head.toString("latin1", start, end).trimEnd();
  const next = head.subarray(end).find((byte) => byte > 0x20);
  return /[{[]$/.test(first) || (!first.endsWith("}") && next !== undefined && next !== 0x7b);
}

function detectForeign(head: Buffer): string | undefined {
  if (head.toString("latin1", 0, 4) === "PK\x03\x04") return "a zip archive in an archive: unpack it first";
  const mark = head.length >= 2 ? head.readUInt16BE(0) : 0;
  return mark === 0xfffe || mark === 0xfeff ? "UTF-16 text: convert it to UTF-8" : undefined;
}

/** Finds where the elements of the array under `key` of an object begin. Returns "unseen" when the object continues after these bytes. */
function findArray(head: Buffer, start: number, key: string): number | "none" | "unseen" {
  const token = /"([^"\\]*(?:\\.[^"\\]*)*)"|[[\]{}:,]/gy;
  const text = head.toString("latin1", start);
  let depth = 0;
  let last: string | undefined;
  let named: string | undefined;
  for (let i = 0; i < text.length; i++) {
    token.lastIndex = i;
    const match = token.exec(text);
    if (!match) {
      // The quote has no end, so the string continues after these bytes.
      if (text[i] === '"') return "unseen";
      continue;
    }
    i = token.lastIndex - 1;
    const [found, string] = match;
    if (string !== undefined) last = string;
    else if (found === ":" && depth === 1) named = last;
    else if (found === "," && depth === 1) named = undefined;
    else if (found === "[" && depth === 1 && named === key) return start + token.lastIndex;
    else if (found === "[" || found === "{") depth++;
    else if ((found === "]" || found === "}") && --depth === 0) return "none";
  }
  return "unseen";
}

import type { RawRecord } from "./record.ts";
import { createCollector, MAX_RECORD_BYTES } from "./split-lines.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
const SPACE = 0x20;

const isOpening = (byte: number): boolean => byte === 0x7b || byte === 0x5b;
const isClosing = (byte: number): boolean => byte === 0x7d || byte === 0x5d;

export interface ElementOptions {
  /**
   * Says that the chunks begin after the `[` of an array, with this number of open brackets around it. Without this option, the chunks
   * are a sequence of values.
   */
  array?: { around: 0 | 1 };
  /** @default 1 */
  firstLine?: number;
  /** @default MAX_RECORD_BYTES */
  maxBytes?: number;
}

/**
 * Splits a JSON array into its elements. It looks only at quotes, escapes and brackets, so that a broken element does not end the file.
 * `stream-json` takes 2.4 times as long and twice the memory (139 MB file: 1.06 s instead of 0.44 s, 186 MB instead of 93 MB), and ends at a
 * broken element.
 */
export async function* splitElements(
  chunks: AsyncIterable<Buffer>,
  options: ElementOptions = {},
): AsyncGenerator<RawRecord> {
  const scanner = createScanner(options);
  // Continue to read after the array's end: more data there is a problem, and gunzip checks the checksum only at the end of the file.
  for await (const chunk of chunks) yield* scanner.push(chunk);
  yield* scanner.end();
}

interface Scanner {
  push(chunk: Buffer): RawRecord[];
  end(): RawRecord[];
}

function createScanner({ array, firstLine = 1, maxBytes = MAX_RECORD_BYTES }: ElementOptions): Scanner {
  const collector = createCollector(maxBytes);
  let phase: "elements" | "after" | "done" = "elements";
  let line = firstLine;
  let startLine = firstLine;
  let index = 0;
  let depth = 0;
  let open = false;
  let inString = false;
  let escaped = false;

  function take(problem?: string): RawRecord {
    open = false;
    const content = collector.take();
    return { line: startLine, index: index++, content: problem === undefined ? content : { problem } };
  }

  function push(chunk: Buffer): RawRecord[] {
    const records: RawRecord[] = [];
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte <= SPACE) {
        if (byte === NEWLINE) line++;
      } else if (phase === "elements") {
        const separates = depth === 0 && (byte === COMMA || isClosing(byte));
        if (!open && !separates) {
          open = true;
          startLine = line;
          from = i;
        }
        if (byte === QUOTE) inString = true;
        else if (isOpening(byte)) depth++;
        const complete = separates || (isClosing(byte) && --depth === 0);
        if (open && complete) {
          collector.add(chunk.subarray(from, separates ? i : i + 1));
          records.push(take());
        }
        if (separates && byte !== COMMA && array) {
          phase = "after";
          depth = array.around;
        }
      } else if (phase === "after") {
        if (depth === 0) {
          startLine = line;
          phase = "done";
          records.push(take(MORE));
        } else if (byte === QUOTE) inString = true;
        else if (isOpening(byte)) depth++;
        else if (isClosing(byte)) depth--;
      } else return records;
    }
    if (open) collector.add(chunk.subarray(from));
    return records;
  }

  function end(): RawRecord[] {
    if (phase !== "elements") return [];
    // A value outside of an array, such as 42, may have no closing bracket.
    if (open && !array && depth === 0 && !inString) return [take()];
    if (!open && !array) return [];
    if (!open) startLine = line;
    return [take(CUT_OFF)];
  }

  return { push, end };
}

const CUT_OFF = "the file ends before the record or the array: it was cut off, or a bracket or a quote is missing";
const MORE = "the array ends here, but the file continues: it has a bracket too many, or several files were joined";

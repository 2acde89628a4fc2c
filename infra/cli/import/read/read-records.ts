import { isUtf8 } from "node:buffer";
import { detectLayout, type Layout, SNIFF_BYTES } from "./detect-layout.ts";
import { readActivities } from "./read-activities.ts";
import { readBytes } from "./read-bytes.ts";
import type { InputRecord, RawRecord } from "./record.ts";
import { splitElements } from "./split-elements.ts";
import { splitLines } from "./split-lines.ts";

/**
 * Reads the records of a file, and holds one of them in memory. Does not throw: a record that cannot be read, and a file without records,
 * become a record with a problem.
 */
export async function* readRecords(
  open: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void,
): AsyncGenerator<InputRecord> {
  try {
    const { layout, rest } = await lookAhead(readBytes(open, onRead));
    let count = 0;
    const records = layout.kind === "html" ? readActivities(rest) : parseAll(split(layout, rest));
    for await (const record of records) {
      count += 1;
      yield record;
    }
    if (count === 0) yield { place: "file", bytes: 0, content: { problem: "the file has no conversation" } };
  } catch (error) {
    yield { place: "file", bytes: 0, content: { problem: `cannot be read: ${(error as Error).message}` } };
  }
}

interface Sniffed {
  layout: Layout;
  /** All chunks of the file. */
  rest: AsyncGenerator<Buffer>;
}

async function lookAhead(chunks: AsyncGenerator<Buffer>): Promise<Sniffed> {
  let head: Buffer = Buffer.alloc(0);
  let layout: Layout | undefined;
  while (!layout) {
    const { value, done } = await chunks.next();
    if (value) head = Buffer.concat([head, value]);
    layout = detectLayout(head, done === true || head.length >= SNIFF_BYTES);
    if (done) break;
  }
  return { layout: layout ?? { kind: "empty" }, rest: after(head, chunks) };
}

async function* after(head: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* chunks;
}

async function* parseAll(records: AsyncIterable<RawRecord>): AsyncGenerator<InputRecord> {
  for await (const record of records) yield parse(record);
}

async function* split(layout: Layout, chunks: AsyncGenerator<Buffer>): AsyncGenerator<RawRecord> {
  if (layout.kind === "empty" || layout.kind === "html") return;
  if (layout.kind === "foreign") {
    yield { line: 1, content: { problem: layout.problem } };
    await chunks.return(undefined);
    return;
  }
  const { value: head } = await chunks.next();
  const skipped = (head as Buffer).subarray(0, layout.start);
  const rest = after((head as Buffer).subarray(layout.start), chunks);
  const firstLine = 1 + skipped.filter((byte) => byte === 0x0a).length;
  if (layout.kind === "lines") yield* splitLines(rest);
  else if (layout.kind === "array") yield* splitElements(rest, { array: { around: layout.around }, firstLine });
  else yield* splitElements(rest, { firstLine });
}

function parse({ line, index, content }: RawRecord): InputRecord {
  const place = index === undefined ? `line ${line}` : `conversation ${index + 1} (line ${line})`;
  if (!Buffer.isBuffer(content)) return { place, bytes: 0, content };
  const bytes = content.length;
  if (!isUtf8(content)) return { place, bytes, content: { problem: "not valid UTF-8" } };
  try {
    return { place, bytes, content: { value: JSON.parse(content.toString("utf8")) } };
  } catch (error) {
    return { place, bytes, content: { problem: `invalid JSON: ${(error as Error).message}` } };
  }
}

import { createCollector, MAX_RECORD_BYTES, type RawRecord } from "./raw-record.ts";

const NEWLINE = 0x0a;

/** Splits JSON Lines into records. Skips blank lines. The last line may lack its newline. */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number = MAX_RECORD_BYTES,
): AsyncGenerator<RawRecord> {
  const collector = createCollector(maxBytes);
  let line = 1;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      collector.add(chunk.subarray(from, end));
      yield* nonBlank({ line, content: collector.take() });
      line += 1;
      from = end + 1;
    }
    if (from < chunk.length) collector.add(chunk.subarray(from));
  }
  yield* nonBlank({ line, content: collector.take() });
}

function nonBlank(record: RawRecord): RawRecord[] {
  return Buffer.isBuffer(record.content) && isBlank(record.content) ? [] : [record];
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

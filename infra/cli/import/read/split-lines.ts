import type { RawRecord } from "./record.ts";

/**
 * The largest record, in bytes. The import holds a whole record in memory, so this limits its memory. A session of 10,000 messages and
 * 50 MB fits.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Collects the bytes of a record from chunks. Drops them as soon as they are too many. */
export function createCollector(maxBytes: number): {
  add(bytes: Buffer): void;
  take(): RawRecord["content"];
  size(): number;
} {
  let parts: Buffer[] = [];
  let size = 0;
  return {
    add(bytes) {
      size += bytes.length;
      if (size > maxBytes) parts = [];
      else parts.push(bytes);
    },
    take() {
      const whole =
        size > maxBytes ? { problem: `the record is larger than ${maxBytes} bytes` } : Buffer.concat(parts, size);
      parts = [];
      size = 0;
      return whole;
    },
    size: () => size,
  };
}

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

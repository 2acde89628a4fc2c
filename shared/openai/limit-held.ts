/** The separators of events in a stream. */
export const EMPTY_LINES = ["\n\n", "\r\r", "\r\n\r\n"];

/**
 * Passes chunks on, and fails when more than `most` bytes come without a separator, because the reader holds them in memory until the next
 * separator. If no separators are given, the whole response is one piece.
 */
export async function* limitHeld(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<string>,
  separators: readonly string[],
  most: number,
): AsyncGenerator<Buffer> {
  let held = 0;
  let tail = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    // A separator may begin in one chunk and end in the next.
    const recent = Buffer.concat([tail, bytes]);
    const end = Math.max(...separators.map((mark) => recent.lastIndexOf(mark)));
    held = end < 0 ? held + bytes.length : recent.length - end;
    if (held > most) throw new Error(`the response has more than ${most} bytes in one piece`);
    tail = recent.subarray(-3);
    yield bytes;
  }
}

import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** Bytes per chunk. The progress moves in these steps. */
export const CHUNK_BYTES = 64 * 1024;

/**
 * Reads the bytes of a file, and unpacks them if the first two are those of gzip. Reads no faster than the caller asks for chunks.
 * @param onRead called with the number of bytes that were read from the file.
 */
export async function* readBytes(
  open: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of open()) {
      onRead(chunk.length);
      yield chunk;
    }
  }
  const chunks = counted();
  const { value: first } = await chunks.next();
  if (!first) return;
  async function* all(): AsyncGenerator<Buffer> {
    try {
      yield first as Buffer;
      yield* chunks;
    } finally {
      await chunks.return(undefined);
    }
  }
  // The first chunk of a file has more than one byte, unless the file has only one.
  if (first.length < 2 || first.readUInt16BE(0) !== 0x1f8b) return yield* all();
  // The callback can ignore errors: `pipeline` destroys its last stream with the error, so the iteration throws it.
  yield* pipeline(all, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined) as AsyncIterable<Buffer>;
}

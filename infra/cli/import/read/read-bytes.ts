import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** Bytes per chunk. The progress moves in these steps. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of a file, uncompressed if its first bytes say gzip. Reads no faster than the caller asks for chunks.
 * @param onRead called with the number of bytes that were read from the file.
 */
export async function* readBytes(file: string, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  const isPacked = await isGzip(file);
  const source = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  // A "data" listener on the stream would make it flow, so count the chunks here.
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      onRead(chunk.length);
      yield chunk;
    }
  }
  if (!isPacked) return yield* counted(source);
  // The iteration throws errors, because pipeline destroys its last stream with them.
  yield* pipeline(source, counted, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined) as AsyncIterable<Buffer>;
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === 0x1f8b;
  } finally {
    await handle.close();
  }
}

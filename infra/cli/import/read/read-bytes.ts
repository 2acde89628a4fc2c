import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** Bytes a chunk: also the steps in which the progress of a small file moves. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of a file, unpacked when it is gzip (its first bytes say), read no faster than they are asked for.
 * @param onRead gets the number of bytes of the file itself as they are read.
 */
export async function* readBytes(file: string, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  const isPacked = await isGzip(file);
  const source = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  // A stream that counts by itself would start to flow: count what passes instead.
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      onRead(chunk.length);
      yield chunk;
    }
  }
  if (!isPacked) return yield* counted(source);
  // Errors come out of the iteration: pipeline destroys its end with them.
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

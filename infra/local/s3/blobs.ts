import { randomUUID } from "node:crypto";
import fs, { closeSync, createReadStream, createWriteStream, openSync, readSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A file with the body of an object or of a part. It is written once and never changed. */
export interface Blob {
  /** The file's name. No part of it comes from a client. */
  id: string;
  /** Bytes. */
  size: number;
}

/** The bytes `from` to `to` (exclusive) of an object. */
export interface Span {
  from: number;
  to: number;
}

export type Blobs = ReturnType<typeof openBlobs>;

/** Bytes up to which a span is read at once, which is faster than a stream. */
const SMALL = 256 * 1024;

export function openBlobs(directory: string) {
  fs.mkdirSync(directory, { recursive: true });
  const fileOf = (id: string): string => path.join(directory, id);
  const remove = (id: string): Promise<void> => rm(fileOf(id), { recursive: true, force: true });
  return {
    /** Writes a body and returns the id. When it resolves, the file is on the disk. When it rejects, there is no file. */
    async write(source: AsyncIterable<Buffer>): Promise<string> {
      const id = randomUUID();
      try {
        await pipeline(source, createWriteStream(fileOf(id), { flags: "wx", flush: true }));
        return id;
      } catch (error) {
        await remove(id);
        throw error;
      }
    },
    /** Reads a span of the concatenated blobs, even if they are removed while it reads. */
    read(blobs: readonly Blob[], span: Span): Buffer | Readable {
      // An open file can be read after its deletion.
      const pieces = cut(blobs, span).map(({ id, ...piece }) => ({ ...piece, file: openSync(fileOf(id), "r") }));
      const close = () => {
        for (const { file } of pieces) closeSync(file);
      };
      const [first] = pieces;
      if (first && pieces.length === 1 && first.to - first.from <= SMALL) {
        const data = Buffer.alloc(first.to - first.from);
        readSync(first.file, data, 0, data.length, first.from);
        close();
        return data;
      }
      return Readable.from(readPieces(pieces), { objectMode: false }).once("close", close);
    },
    async remove(blobs: readonly Blob[]): Promise<void> {
      await Promise.all(blobs.map(({ id }) => remove(id)));
    },
    /** Deletes every file that is not in `keep`, such as files of a process that crashed. */
    async sweep(keep: ReadonlySet<string>): Promise<void> {
      const stale = (await readdir(directory)).filter((id) => !keep.has(id));
      await Promise.all(stale.map(remove));
    },
  };
}

/** The part of each blob that is within the span. */
function cut(blobs: readonly Blob[], span: Span): (Blob & Span)[] {
  let start = 0;
  return blobs.flatMap((blob) => {
    const from = Math.max(span.from - start, 0);
    const to = Math.min(span.to - start, blob.size);
    start += blob.size;
    return from < to ? [{ ...blob, from, to }] : [];
  });
}

async function* readPieces(pieces: readonly (Span & { file: number })[]): AsyncGenerator<Buffer> {
  for (const { file, from, to } of pieces) {
    // `end` is inclusive.
    yield* createReadStream("", { fd: file, autoClose: false, start: from, end: to - 1, highWaterMark: SMALL });
  }
}

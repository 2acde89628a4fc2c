import { randomUUID } from "node:crypto";
import fs, { closeSync, createReadStream, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGroupedSync } from "./grouped-sync.ts";

const write = promisify(fs.write);
const datasync = promisify(fs.fdatasync);
const sync = promisify(fs.fsync);

/** A file with the body of an object or of a part. It is written once and never changed. */
export interface Blob {
  /** The path in the directory: `2026-11-21/<uuid>`. No part of it comes from a client. */
  id: string;
  /** Bytes. */
  size: number;
}

/** The bytes `from` to `to` (exclusive) of an object. */
export interface Span {
  from: number;
  to: number;
}

export interface Blobs {
  /** Writes a body. When it resolves, the file is on the disk. When it rejects, there is no file. */
  write(source: AsyncIterable<Buffer>): Promise<Blob>;
  /** Reads a span of the concatenated blobs, even if they are removed while it reads. */
  read(blobs: readonly Blob[], span: Span): Promise<Buffer | Readable>;
  /** Deletes the files once no reader uses them. */
  remove(blobs: readonly Blob[]): Promise<void>;
  /** Deletes every file that is not in `keep`, such as files of a process that crashed. Returns their number. */
  sweep(keep: ReadonlySet<string>): Promise<number>;
}

/** Files up to this size, in bytes, are read at once, which is faster than a stream. */
const SMALL = 256 * 1024;

export function openBlobs(directory: string, now: () => number): Blobs {
  const folders = new Map<string, Promise<() => Promise<void>>>();
  const readers = new Map<string, number>();
  const removed = new Set<string>();
  const fileOf = (id: string): string => path.join(directory, id);

  const folderSync = (folder: string): Promise<() => Promise<void>> => {
    const known = folders.get(folder);
    if (known) return known;
    const opened = openFolder(path.join(directory, folder));
    folders.set(folder, opened);
    opened.catch(() => folders.delete(folder));
    return opened;
  };

  const release = async (blobs: readonly Blob[]): Promise<void> => {
    for (const { id } of blobs) {
      const left = (readers.get(id) ?? 1) - 1;
      if (left > 0) readers.set(id, left);
      else readers.delete(id);
      if (left === 0 && removed.delete(id)) await rm(fileOf(id), { force: true });
    }
  };

  return {
    write: async (source) => {
      // One folder per day keeps folders small, and lets concurrent writers share one sync of the folder.
      const folder = new Date(now()).toISOString().slice(0, 10);
      const id = `${folder}/${randomUUID()}`;
      const syncFolder = await folderSync(folder);
      try {
        const size = await writeFile(fileOf(id), source);
        await syncFolder();
        return { id, size };
      } catch (error) {
        await rm(fileOf(id), { force: true });
        throw error;
      }
    },
    read: async (blobs, { from, to }) => {
      const pieces = cut(blobs, { from, to });
      for (const { id } of pieces) readers.set(id, (readers.get(id) ?? 0) + 1);
      const [only] = pieces;
      if (only && pieces.length === 1 && only.size <= SMALL) {
        try {
          return (await readFile(fileOf(only.id))).subarray(only.from, only.to);
        } finally {
          await release(pieces);
        }
      }
      const stream = Readable.from(readPieces(pieces, fileOf), { objectMode: false });
      stream.once("close", () => void release(pieces));
      return stream;
    },
    remove: async (blobs) => {
      const free = blobs.filter(({ id }) => !readers.has(id));
      for (const { id } of blobs) if (readers.has(id)) removed.add(id);
      await Promise.all(free.map(({ id }) => rm(fileOf(id), { force: true })));
    },
    sweep: async (keep) => {
      let count = 0;
      for (const folder of await readdir(directory)) {
        const names = await readdir(path.join(directory, folder));
        const stale = names.filter((name) => !keep.has(`${folder}/${name}`));
        for (const name of stale) await rm(path.join(directory, folder, name));
        if (stale.length === names.length) await rmdir(path.join(directory, folder));
        count += stale.length;
      }
      return count;
    },
  };
}

/** Creates a folder, on the disk when it resolves. Resolves to a function that syncs the entries of the folder. */
async function openFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const parent = openSync(path.dirname(folder), "r");
  await sync(parent).finally(() => closeSync(parent));
  return createGroupedSync(async () => {
    const descriptor = openSync(folder, "r");
    await sync(descriptor).finally(() => closeSync(descriptor));
  });
}

/** Opens and closes the file synchronously, which takes less time than another thread would. Writes asynchronously. */
async function writeFile(file: string, source: AsyncIterable<Buffer>): Promise<number> {
  const descriptor = openSync(file, "wx");
  try {
    let size = 0;
    for await (const data of source) {
      for (let done = 0; done < data.length; ) done += (await write(descriptor, data, done)).bytesWritten;
      size += data.length;
    }
    await datasync(descriptor);
    return size;
  } finally {
    closeSync(descriptor);
  }
}

type Piece = Blob & Span;

/** The part of each blob that is within the span. */
function cut(blobs: readonly Blob[], span: Span): Piece[] {
  let start = 0;
  return blobs.flatMap((blob) => {
    const from = Math.max(span.from - start, 0);
    const to = Math.min(span.to - start, blob.size);
    start += blob.size;
    return from < to ? [{ ...blob, from, to }] : [];
  });
}

async function* readPieces(pieces: readonly Piece[], fileOf: (id: string) => string): AsyncGenerator<Buffer> {
  for (const { id, from, to } of pieces) {
    // `end` is inclusive.
    yield* createReadStream(fileOf(id), { start: from, end: to - 1, highWaterMark: SMALL });
  }
}

import { once } from "node:events";
import { openPromise, type Entry as ZipEntry, type ZipFile } from "yauzl";
import type { Entry } from "./entry.ts";

/** The largest ratio of unpacked to packed size of an entry. DEFLATE has about 10 for text of people, and 1,032 at most. */
const MAX_RATIO = 200;
/** Unpacked bytes up to which the ratio of an entry is not checked. */
const SMALL = 64 * 1024 * 1024;
const MAX_ENTRIES = 500_000;

/**
 * Opens a zip archive. yauzl refuses entries with a path outside of the archive, such as "../x", and content whose size is not the one
 * that the archive says.
 * @throws Error when it is not a valid zip archive, or when its entries overlap.
 */
export async function openZip(path: string): Promise<{ entries: Entry[]; close(): void }> {
  const zip = await openPromise(path, { autoClose: false, lazyEntries: true });
  try {
    const entries: Entry[] = [];
    let unpacked = 0;
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith("/")) continue;
      if (entries.length === MAX_ENTRIES) throw new Error(`the zip archive has more than ${MAX_ENTRIES} files`);
      unpacked += entry.uncompressedSize;
      entries.push({ name: entry.fileName, bytes: entry.uncompressedSize, open: () => read(zip, entry) });
    }
    // DEFLATE cannot pack so much into an archive of this size, so its entries must share their content (a zip bomb).
    if (unpacked > Math.max(SMALL, zip.fileSize * 1032)) throw new Error("the zip archive has entries that overlap");
    return { entries, close: () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function* read(zip: ZipFile, entry: ZipEntry): AsyncGenerator<Buffer> {
  const { fileName, compressedSize, uncompressedSize } = entry;
  if (uncompressedSize > SMALL && uncompressedSize > compressedSize * MAX_RATIO) {
    throw new Error(
      `${fileName} is ${uncompressedSize} bytes unpacked, more than ${MAX_RATIO} times its size in the archive`,
    );
  }
  if (entry.isEncrypted()) throw new Error(`${fileName} is encrypted: unpack the archive first`);
  const stream = await zip.openReadStreamPromise(entry);
  try {
    yield* stream;
  } finally {
    if (!stream.destroyed) {
      stream.destroy();
      await once(stream, "close");
    }
  }
}

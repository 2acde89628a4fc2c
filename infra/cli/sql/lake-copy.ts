import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import pMap from "p-map";

/** Milliseconds to keep a file after its object was first missing in the bucket, because another process may be reading it. */
const KEPT = 3_600_000;

/**
 * The extension of a mark: a file beside a file whose object is no longer in the bucket. It contains the epoch milliseconds at which the
 * object was first missing. The file's own time is that of its download, which may be long ago.
 */
const MARK = ".gone";

/** Number of objects to download at the same time. */
const PARALLEL = 16;

export type LakeCopy = ReturnType<typeof createLakeCopy>;

/**
 * Creates a copy of parts of the bucket in a directory, because DuckDB reads files. The name of a file contains the ETag of its object, so
 * a file is downloaded once and never changes while a process reads it.
 */
export function createLakeCopy(s3: S3Client, Bucket: string, directory: string, clock = Date.now) {
  const list = async (Prefix: string) => {
    const wanted: { key: string; file: string }[] = [];
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix })) {
      for (const { Key = "", ETag = "" } of Contents) {
        if (isHidden(Key)) continue;
        const { dir, name, ext } = path.posix.parse(Key);
        const version = `${name}.${ETag.replaceAll('"', "")}${ext}`;
        wanted.push({ key: Key, file: path.join(directory, dir, version) });
      }
    }
    return wanted;
  };

  /** Returns whether the object was still there. */
  const fetchObject = async ({ key, file }: { key: string; file: string }): Promise<boolean> => {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key }));
      await mkdir(path.dirname(file), { recursive: true });
      const partial = `${file}.${process.pid}.partial`;
      await pipeline(Body as Readable, createWriteStream(partial));
      await rename(partial, file);
      return true;
    } catch (error) {
      // The object was deleted after the listing, so it is not part of the table.
      if ((error as Error).name === "NoSuchKey") return false;
      throw error;
    }
  };

  return {
    /** Downloads the new objects below a prefix of the bucket. Returns the files of all objects below it. */
    async refresh(prefix: string): Promise<string[]> {
      const wanted = await list(prefix);
      const present = new Set(await filesBelow(path.join(directory, prefix)));
      const missing = wanted.filter(({ file }) => !present.has(file));
      const fetched = await pMap(missing, fetchObject, { concurrency: PARALLEL });
      const gone = new Set(missing.filter((_, n) => !fetched[n]));
      const files = wanted.filter((object) => !gone.has(object)).map(({ file }) => file);
      const current = new Set(files);
      for (const file of present) {
        if (file.endsWith(MARK)) continue;
        if (!current.has(file)) await removeOld(file);
        else if (present.has(file + MARK)) await rm(file + MARK, { force: true });
      }
      return files;
    },
  };

  async function removeOld(file: string): Promise<void> {
    const since = Number(await readFile(file + MARK, "utf8").catch(() => ""));
    if (since === 0) await writeFile(file + MARK, String(clock()));
    else if (clock() - since > KEPT) await Promise.all([file, file + MARK].map((each) => rm(each, { force: true })));
  }
}

/** Whether Athena skips the object, as Trino does: a part of its key begins with `_` or `.`. The copy has the objects that Athena reads. */
const isHidden = (key: string): boolean => /(^|\/)[_.]/.test(key);

async function filesBelow(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";

/** Milliseconds that a file is kept after it was first seen to be gone from the bucket: another process may be reading it. */
const KEPT = 3_600_000;

/**
 * Ends the name of the file beside a file that the bucket no longer has. It holds when this was first seen, in epoch milliseconds. The file's
 * own time does not tell: a file that was fetched yesterday may be replaced, and read, now.
 */
const MARK = ".gone";

/** Objects fetched at once. */
const PARALLEL = 16;

export interface LakeCopy {
  /** Fetches what is new below a prefix of the bucket. Gives the files that it now consists of. */
  bring(prefix: string): Promise<string[]>;
}

/**
 * A copy of parts of the bucket in a directory, for DuckDB, which reads files. Each file is named by its object's ETag, so one that is
 * there is never fetched again, and never changes under whoever reads it.
 */
export function createLakeCopy(s3: S3Client, Bucket: string, directory: string, clock = Date.now): LakeCopy {
  const list = async (Prefix: string) => {
    const wanted = new Map<string, { key: string; file: string }>();
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
      for (const { Key = "", ETag = "" } of page.Contents ?? []) {
        if (isHidden(Key)) continue;
        const { dir, name, ext } = path.posix.parse(Key);
        const version = `${name}.${ETag.replaceAll('"', "")}${ext}`;
        const file = path.join(directory, dir, version);
        wanted.set(file, { key: Key, file });
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    return [...wanted.values()];
  };

  const fetchObject = async ({ key, file }: { key: string; file: string }): Promise<string | undefined> => {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key }));
      await mkdir(path.dirname(file), { recursive: true });
      const partial = `${file}.${process.pid}.partial`;
      await pipeline(Body as Readable, createWriteStream(partial));
      await rename(partial, file);
      return file;
    } catch (error) {
      // Gone since it was listed: then it is no part of the table.
      if ((error as Error).name === "NoSuchKey") return undefined;
      throw error;
    }
  };

  return {
    async bring(prefix) {
      const wanted = await list(prefix);
      const present = new Set(await filesBelow(path.join(directory, prefix)));
      const missing = wanted.filter(({ file }) => !present.has(file));
      const gone = new Set<string>();
      const work = async () => {
        for (let next = missing.shift(); next; next = missing.shift()) {
          if (!(await fetchObject(next))) gone.add(next.file);
        }
      };
      await Promise.all(Array.from({ length: PARALLEL }, work));
      const files = wanted.map(({ file }) => file).filter((file) => !gone.has(file));
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

/** Whether Trino, and so Athena, skips the object: a part of its key begins with `_` or `.`. The copy is to show what they show. */
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

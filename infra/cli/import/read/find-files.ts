import { readdir, stat } from "node:fs/promises";
import path from "node:path";

export interface InputFile {
  path: string;
  /** Bytes on disk. */
  size: number;
}

const SPLIT_EXPORT = /^conversations.*\.jsonl?(\.gz)?$/i;
const ANY_JSON = /\.(json|jsonl|ndjson)(\.gz)?$/i;

/**
 * The files to import, in the given order. A directory stands for its files `conversations*.json`, which an unpacked export has beside
 * other files, or else for all of its JSON files, in the order of their numbers.
 * @throws Error that names a file which does not exist or is not a file.
 */
export async function findFiles(given: readonly string[]): Promise<InputFile[]> {
  const found = await Promise.all(given.map(expand));
  return found.flat();
}

async function expand(given: string): Promise<InputFile[]> {
  const stats = await stat(given).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === "ENOENT" ? `${given}: no such file` : `${given}: ${error.message}`, {
      cause: error,
    });
  });
  if (stats.isFile()) return [{ path: given, size: stats.size }];
  if (!stats.isDirectory()) throw new Error(`${given}: neither a file nor a directory`);
  const names = (await readdir(given)).filter((name) => ANY_JSON.test(name));
  const exports = names.filter((name) => SPLIT_EXPORT.test(name));
  const chosen = (exports.length > 0 ? exports : names).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (chosen.length === 0) throw new Error(`${given}: no .json or .jsonl file in this directory`);
  const files = await Promise.all(chosen.map((name) => expand(path.join(given, name))));
  return files.flat();
}

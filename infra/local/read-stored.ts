import { existsSync, readFileSync } from "node:fs";
import * as z from "zod";

/** Reads a file that an earlier run wrote. If that fails, throws an Error that names the file and the remedy. */
export function readStored<T>(file: string, remedy: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String((cause as Error).message);
    throw new Error(`${file} cannot be read (${why}). ${remedy}`, { cause });
  }
}

/** Reads a JSON file that an earlier run wrote; undefined when there is none. Throws the errors of `readStored`. */
export function readStoredJson<T>(file: string, remedy: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(file)) return undefined;
  return readStored(file, remedy, () => schema.parse(JSON.parse(readFileSync(file, "utf8"))));
}

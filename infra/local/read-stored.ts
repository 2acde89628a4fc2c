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

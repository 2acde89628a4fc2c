import * as z from "zod";

/** Reads what an earlier run stored. When that fails, the error names the file and says what to do. */
export function readStored<T>(file: string, remedy: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String((cause as Error).message);
    throw new Error(`${file} cannot be read (${why}). ${remedy}`, { cause });
  }
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** A directory that is removed after the test, and a function that writes a file to it and returns its path. */
export function createScratch(): { directory: string; write: (name: string, content: string | Uint8Array) => string } {
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-import-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return {
    directory,
    write(name, content) {
      const file = path.join(directory, name);
      writeFileSync(file, content);
      return file;
    },
  };
}

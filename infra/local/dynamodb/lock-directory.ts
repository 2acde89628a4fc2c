import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * Makes this process the only host of a data directory. Throws an Error that names the other process when one has it.
 * The lock is SQLite's lock on a file, which the operating system drops with the process: nothing goes stale after
 * `kill -9`, and a process id that is used again fools nobody. The pid file beside it only serves the message.
 */
export function lockDirectory(directory: string): { release(): void } {
  mkdirSync(directory, { recursive: true });
  const pidFile = path.join(directory, "host.pid");
  const lock = new DatabaseSync(path.join(directory, "host.lock"), { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    throw new Error(
      `Another host (pid ${readIfAny(pidFile)}) is running on ${path.resolve(directory)}: ` +
        "stop it first, or use another directory with --data.",
      { cause },
    );
  }
  writeFileSync(pidFile, String(process.pid));
  return {
    release() {
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

function readIfAny(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "unknown";
  }
}

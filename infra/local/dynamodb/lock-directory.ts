import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

/** SQLite's code when another process has locked the database. */
const SQLITE_BUSY = 5;

/**
 * Makes this process the only host of a data directory. Throws an Error that names the other host if there is one.
 * The lock is SQLite's lock on a file. The operating system releases it when the process ends, also after `kill -9`. The pid file is
 * used only for the error message.
 */
export function lockDirectory(directory: string): { release(): void } {
  mkdirSync(directory, { recursive: true });
  const pidFile = path.join(directory, "host.pid");
  const file = path.join(directory, "host.lock");
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) {
      throw new Error(`Cannot lock ${file} (${(cause as Error).message}). If no host is running, delete this file.`, {
        cause,
      });
    }
    throw new Error(
      `Another host (pid ${readPid(pidFile)}) is running on ${path.resolve(directory)}: ` +
        "stop it, or choose another directory with --data.",
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

function readPid(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "unknown";
  }
}

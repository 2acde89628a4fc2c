import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that an orphaned engine gets to end after SIGTERM. */
const GRACE = 3_000;

/**
 * Ends the engine that a killed host left running on `database`, because two engines on one file corrupt it.
 * Process ids are reused, so the command line of the process must name this database.
 */
export async function endOrphan(pidFile: string, database: string, log: (line: string) => void): Promise<void> {
  const pid = readPid(pidFile);
  const isOurs = () => pid !== undefined && commandLine(pid).split(" --db-path ")[1] === database;
  if (pid !== undefined && isOurs()) {
    log(`Ending the embedded DynamoDB (pid ${pid}) that an earlier host left behind.`);
    process.kill(pid, "SIGTERM");
    for (const deadline = performance.now() + GRACE; isOurs(); await sleep(10)) {
      if (performance.now() > deadline) process.kill(pid, "SIGKILL");
    }
  }
  rmSync(pidFile, { force: true });
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, "utf8"));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The command line of a process, separated by blanks; "" when there is no such process. */
function commandLine(pid: number): string {
  try {
    if (existsSync("/proc/self")) return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const stdio = ["ignore", "pipe", "ignore"] as const;
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8", stdio: [...stdio] }).trim();
  } catch {
    return "";
  }
}

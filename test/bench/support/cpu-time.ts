import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds of a clock tick in `/proc`. */
const TICK = 10;

/** A process is idle when it has used at most this share of a CPU for this number of milliseconds. */
const IDLE_SHARE = 0.1;
const IDLE_WINDOW = 2000;
const IDLE_LOOKS = 90;

/** Milliseconds of CPU time that a process has used, on Linux. */
export function cpuTime(pid: number): number {
  // The name of the program, in parentheses, may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Resolves when the process is idle, or after three minutes, with the milliseconds of CPU that it uses per second when idle. */
export async function untilIdle(pid: number): Promise<number> {
  let used = Number.NaN;
  for (let look = 0; look < IDLE_LOOKS; look++) {
    const before = cpuTime(pid);
    await sleep(IDLE_WINDOW);
    used = cpuTime(pid) - before;
    if (used <= IDLE_WINDOW * IDLE_SHARE) break;
  }
  return used / (IDLE_WINDOW / 1000);
}

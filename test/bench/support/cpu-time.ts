import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds of a clock tick in `/proc`. */
const TICK = 10;

/** A process is idle when it has used at most this share of a CPU for this number of milliseconds. */
const IDLE_SHARE = 0.1;
export const IDLE_WINDOW = 1000;
const IDLE_LOOKS = 180;

/** Milliseconds for which the CPU time of an idle process is measured. */
const IDLE_MEASURE = 3000;

/** Milliseconds of CPU time that a process has used, on Linux. */
export function cpuTime(pid: number): number {
  // The name of the program, in parentheses, may contain spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

/** Resolves when the process is idle, or after three minutes. */
export async function untilIdle(pid: number): Promise<void> {
  for (let look = 0; look < IDLE_LOOKS; look++) {
    if ((await usedIn(pid, IDLE_WINDOW)) <= IDLE_WINDOW * IDLE_SHARE) return;
  }
}

/** Milliseconds of CPU that an idle process uses per second. */
export const idleCpu = async (pid: number): Promise<number> =>
  (await usedIn(pid, IDLE_MEASURE)) / (IDLE_MEASURE / 1000);

async function usedIn(pid: number, milliseconds: number): Promise<number> {
  const before = cpuTime(pid);
  await sleep(milliseconds);
  return cpuTime(pid) - before;
}

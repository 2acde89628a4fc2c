import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that the host may take for what it does by itself. */
const PATIENCE = 3_600_000;

/** Milliseconds between two lines about the same wait. */
const QUIET = 30_000;

/** Waits until `look` returns `true`. Other answers are lines of progress. Looks every so many milliseconds. */
export async function until(look: () => Promise<true | string>, signal: AbortSignal, every = 500): Promise<void> {
  const began = performance.now();
  for (let told = began; ; ) {
    const state = await look();
    if (state === true) return;
    const now = performance.now();
    if (now - began > PATIENCE) throw new Error(`this takes longer than an hour: ${state}`);
    if (now - told > QUIET) {
      say(state);
      told = now;
    }
    await sleep(every, undefined, { signal });
  }
}

/** Whole seconds since a time of `performance.now()`. */
export const seconds = (began: number): number => Math.round((performance.now() - began) / 1000);

/** Prints a line of progress. */
export const say = (text: string): void =>
  void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

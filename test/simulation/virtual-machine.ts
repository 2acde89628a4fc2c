/**
 * What this process knows of time and chance, replaced for the length of a life: timers wait in virtual time, clocks read it, and
 * random numbers and ids follow from the seed. So the product's own waits and ids are part of what a seed repeats.
 */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import waiting from "node:timers/promises";
import type { Random } from "../support/random.ts";
import type { Timeline } from "./timeline.ts";

// biome-ignore lint/suspicious/noExplicitAny: members are replaced whatever their types are.
type Replaceable = Record<string, any>;

/** Runs `work` with the machine's time and chance replaced. Nothing else may run in this thread meanwhile. */
export async function inVirtualMachine<T>(timeline: Timeline, random: Random, work: () => Promise<T>): Promise<T> {
  const undo: (() => void)[] = [];
  const replace = (target: object, members: Replaceable) => {
    for (const [name, value] of Object.entries(members)) {
      const before = Object.getOwnPropertyDescriptor(target, name);
      Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
      undo.push(() => {
        if (before) Object.defineProperty(target, name, before);
        else delete (target as Replaceable)[name];
      });
    }
  };
  const hex = (digits: number) => Array.from({ length: digits }, () => random.below(16).toString(16)).join("");
  const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
  const after = (milliseconds: number | undefined, run: () => void) =>
    timeline.at(timeline.now() + (milliseconds ?? 0), run);

  const virtual = {
    setTimeout: (run: (...args: unknown[]) => void, milliseconds?: number, ...args: unknown[]) =>
      handleOf(after(milliseconds, () => run(...args))),
    clearTimeout: (handle?: Handle) => handle?.cancel?.(),
    setInterval: (run: () => void, milliseconds: number) => repeating(timeline, run, milliseconds),
    clearInterval: (handle?: Handle) => handle?.cancel?.(),
  };
  replace(globalThis, virtual);
  replace(timers, virtual);
  replace(Date, { now: () => Math.floor(timeline.now()) });
  replace(Math, { random: () => random.next() });
  replace(performance, { now: () => timeline.now() });
  replace(globalThis.crypto, { randomUUID: uuid });
  replace(crypto, { randomUUID: uuid, randomBytes: (size: number) => Buffer.from(hex(2 * size), "hex") });
  replace(waiting, {
    setTimeout: (milliseconds: number, value?: unknown) => timeline.wait(milliseconds).then(() => value),
  });
  // What the product logs is for people who operate it.
  replace(console, { log: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    for (const restore of undo.reverse()) restore();
    syncBuiltinESMExports();
  }
}

interface Handle {
  cancel(): void;
}

const handleOf = (cancel: () => void) => {
  const handle = { cancel, unref: () => handle, ref: () => handle, hasRef: () => true, [Symbol.dispose]: cancel };
  return handle;
};

function repeating(timeline: Timeline, run: () => void, milliseconds: number) {
  let cancel = () => {};
  const again = () => {
    cancel = timeline.at(timeline.now() + milliseconds, () => {
      again();
      run();
    });
  };
  again();
  return handleOf(() => cancel());
}

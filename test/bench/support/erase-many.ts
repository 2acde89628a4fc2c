import { startEngines } from "../../support/engines.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { createMemoryWorld } from "../../support/memory-world.ts";
import { mebibytes, printTable } from "./print-table.ts";

/** Messages of a session, and of a request. */
const SESSION = 1000;
const REQUEST = 100;

/** Milliseconds of a run of the job. It begins no step in the last 90 seconds. */
const RUN = 120_000;

/**
 * Erases one user with many messages, in runs of 30 seconds, without waiting for earlier requests. Measures the time and this process's memory.
 * Returns the number of faults.
 */
export async function eraseMany(messages: number, hasMemories: boolean, say: (text: string) => void): Promise<number> {
  const engines = await startEngines();
  try {
    const world = createMemoryWorld(engines);
    const erasing = createErasureWorld(engines, world);
    for (let n = 0; n < messages; n += SESSION) {
      const id = `s${n / SESSION}`;
      for (let k = n; k < Math.min(n + SESSION, messages); k += REQUEST) {
        const count = Math.min(REQUEST, messages - k);
        await world.say("ann", id, ...Array.from({ length: count }, (_, m) => `I saw the number ${k + m} on a house.`));
      }
      if (hasMemories) await world.deliver("ann", id);
      say(`${Math.min(n + SESSION, messages)} of ${messages} messages are stored`);
    }
    const { id } = await erasing.request("ann");
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 50);
    const began = performance.now();
    let runs = 0;
    const run = async () => {
      runs++;
      const start = performance.now();
      // The clock of the world stands still: the job asks it whether its time is over.
      const ticking = setInterval(() => world.advance(100), 100);
      await erasing.run(RUN);
      clearInterval(ticking);
      say(`run ${runs} took ${((performance.now() - start) / 1000).toFixed(1)} s`);
    };
    const stage = async () => (await erasing.deps.erasures.open())[0]?.stage;
    while ((await stage()) === "sweep") await run();
    const swept = performance.now();
    world.advance(GRACE);
    while ((await stage()) === "check") await run();
    clearInterval(watch);
    const { stores } = await erasing.receipt(id);
    const sum = (name: "found" | "remaining") => stores.reduce((total, store) => total + store[name], 0);
    const seconds = (performance.now() - began) / 1000;
    printTable(
      `An erasure of one user with ${messages} messages${hasMemories ? " and their memories" : ""}`,
      ["", ""],
      [
        ["found", sum("found")],
        ["remaining", sum("remaining")],
        ["runs", runs],
        ["seconds of the sweep", (swept - began) / 1000],
        ["seconds of the search at the end", seconds - (swept - began) / 1000],
        ["things per second", sum("found") / seconds],
        ["growth of this process's memory", mebibytes(peak - before)],
        ["seconds that an erasure waits for earlier requests", GRACE / 1000],
      ],
    );
    return sum("remaining") + (sum("found") >= messages ? 0 : 1);
  } finally {
    await engines.close();
  }
}

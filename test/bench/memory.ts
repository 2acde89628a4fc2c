import { startEngines } from "../support/engines.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { meter, type Usage } from "./support/meter.ts";
import { printTable } from "./support/table.ts";

const SIZES = [100, 1000, 10_000];

/** Messages of a session: as many as one request takes. */
const SESSION = 90;

const SEARCHES = 30;

/** Words of the made-up language, the commonest first. */
const VOCABULARY = 5000;

/** What remembering a turn and recalling cost, and how long they take, at memories of growing size. */
export async function run(): Promise<void> {
  const engines = await startEngines();
  try {
    const { measure } = meter(engines.dynamodb);
    const world = createMemoryWorld(engines);
    const random = seeded(1);
    const rows: (string | number)[][] = [];
    const row = (what: string, usage: Usage, times: number[]) =>
      rows.push([
        what,
        usage.calls / times.length,
        round(usage.rru / times.length),
        round(usage.wru / times.length),
        round(usage.vectorBytes / times.length / 1024),
        ...[0.5, 0.95].map((share) => round(times.toSorted((a, b) => a - b)[Math.floor(share * times.length)] ?? 0)),
      ]);

    for (const size of SIZES) {
      const user = `user-${size}`;
      for (let n = 0; n < size; n += SESSION) {
        const count = Math.min(SESSION, size - n);
        await world.say(user, `s${n}`, ...Array.from({ length: count }, () => sentence(random)));
        await world.deliver(user, `s${n}`);
      }
      const turns: number[] = [];
      const remembering = await measure(async () => {
        for (let n = 0; n < 5; n++) {
          await world.say(user, `turn-${n}`, sentence(random), { role: "assistant", content: sentence(random) });
          const Records = await world.records(user, `turn-${n}`);
          turns.push(await timed(() => world.job({ Records })));
        }
      });
      // What capturing the messages and reading their records cost is not part of it.
      const capturing = await measure(async () => {
        for (let n = 0; n < 5; n++) {
          await world.say(user, `other-${n}`, sentence(random), { role: "assistant", content: sentence(random) });
          await world.records(user, `other-${n}`);
        }
      });
      row(`remember a turn of 2, beside ${size}`, minus(remembering, capturing), turns);
      const times: number[] = [];
      const recalling = await measure(async () => {
        for (let n = 0; n < SEARCHES; n++) {
          times.push(await timed(() => world.recall(user, { text: sentence(random), limit: 10 })));
        }
      });
      row(`recall 10 of ${size}`, recalling, times);
    }
    printTable(
      "Cost and latency of memory (messages of 12 words, lexical embedding of 512 dimensions)",
      ["operation", "calls", "RRU", "WRU", "KB searched", "p50 ms", "p95 ms"],
      rows,
    );
  } finally {
    await engines.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function minus(a: Usage, b: Usage): Usage {
  return { ...a, calls: a.calls - b.calls, rru: a.rru - b.rru, wru: a.wru - b.wru };
}

/** Twelve words, as unevenly frequent as those of a language are (Zipf). */
function sentence(random: () => number): string {
  const word = () => `w${Math.floor(VOCABULARY ** random()).toString(36)}x`;
  return `${Array.from({ length: 12 }, word).join(" ")}.`;
}

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

import { startEngines } from "../support/engines.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { randomOf } from "../support/random.ts";
import { meter, type Usage } from "./support/meter.ts";
import { printTable } from "./support/print-table.ts";

const SIZES = [100, 1000, 10_000];

/** Messages per session: the most that one request may have. */
const SESSION = 90;

const SEARCHES = 30;

/** Number of words of the invented language. */
const VOCABULARY = 5000;

/** Measures capacity units and time of remembering a turn and of recalling, for users with more and more memories. */
export async function run(): Promise<void> {
  const engines = await startEngines();
  try {
    const { measure } = meter(engines.dynamodb);
    const world = createMemoryWorld(engines);
    const random = randomOf(1).next;
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
      // Leave out the costs of capturing the messages and of reading their records.
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
      "Cost and latency of memory (messages of 12 words, the built-in embedding)",
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

/** Twelve words with the frequencies of a language (Zipf). */
function sentence(random: () => number): string {
  const word = () => `w${Math.floor(VOCABULARY ** random()).toString(36)}x`;
  return `${Array.from({ length: 12 }, word).join(" ")}.`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

import { randomOf } from "../../support/random.ts";
import type { ChatHost } from "./chat-host.ts";
import { cpuTime, untilIdle } from "./cpu-time.ts";
import { firstToken } from "./first-token.ts";
import { openLoop, quantile, throughput } from "./open-loop.ts";
import { format, printTable } from "./print-table.ts";
import type { LangChain } from "./start-langchain.ts";

export interface Comparison {
  /** Turns that the sessions have before. */
  turns: readonly number[];
  /** Turns per second. Each system is also asked at 80 % of what it holds. */
  rates: readonly number[];
  /** Seconds for which turns are sent, per system and rate. */
  seconds: number;
}

/** Sessions that take the turns of one measurement, at least. More take them if each would grow by more than this share. */
const SESSIONS = 8;
const GROWTH = 0.2;

/** Turns at the same time for finding out how many a system holds per second. */
const CONCURRENT = 8;

const SHARE = 0.8;

interface System {
  name: string;
  /** The process that answers, and its DynamoDB engine. */
  pids: { server: number; engine: number };
  fill(user: string, contents: readonly string[]): Promise<void>;
  turn(user: string, content: string): Promise<number>;
}

/**
 * Sends turns at fixed rates to the provider itself, to Memocha with and without memory, and to LangChain, and prints what each adds to the
 * provider's first token, and the CPU time per turn of its processes, with everything that a turn causes later.
 */
export async function compareLatency(
  { turns, rates, seconds }: Comparison,
  provider: string,
  host: ChatHost,
  langchain: LangChain | null,
  progress: (text: string) => void,
): Promise<void> {
  const systems: System[] = [
    { name: "Memocha with memory", ...host, turn: (user, content) => host.turn(user, content, true) },
    { name: "Memocha without memory", ...host },
    ...(langchain ? [{ name: "LangChain", ...langchain }] : []),
  ];
  for (const length of turns) {
    const rows: (string | number)[][] = [];
    for (const system of systems) {
      const at = `${system.name}, sessions of ${format(length)} turns`;
      progress(`${at}: how many turns per second it holds`);
      const burst = await prepare(system, length, SESSIONS);
      const held = await throughput(CONCURRENT, Math.min(seconds, 5), burst);
      for (const rate of [...rates, SHARE * held]) {
        progress(`${at}: ${format(rate)} turns/s`);
        const count = Math.ceil((rate * seconds) / Math.max(1, GROWTH * length));
        const send = await prepare(system, length, Math.max(SESSIONS, count));
        const alone = await openLoop(rate, seconds / 2, (n) => ask(provider, question(n)));
        rows.push([system.name, rate, ...(await measure(system, rate, seconds, send, alone.times))]);
      }
    }
    printTable(
      `Milliseconds that a turn adds to the provider's first token, at a fixed rate: sessions of ${format(length)} turns`,
      ["", "turns/s", "p50", "p95", "p99", "errors", "CPU ms server", "CPU ms engine"],
      rows,
    );
  }
}

let prepared = 0;

/** Stores sessions of so many turns, and returns a function that runs the next turn of one of them. */
async function prepare({ pids, fill, turn }: System, length: number, sessions: number) {
  const users = Array.from({ length: sessions }, () => `user-${prepared++}`);
  for (const user of users) {
    await fill(
      user,
      Array.from({ length: 2 * length }, (_, n) => sentence(user, n)),
    );
  }
  await Promise.all([untilIdle(pids.server), untilIdle(pids.engine)]);
  return (n: number) => turn(users[n % sessions] ?? "", question(n));
}

async function measure(
  { pids }: System,
  rate: number,
  seconds: number,
  send: (n: number) => Promise<number>,
  alone: readonly number[],
): Promise<number[]> {
  const idle = { server: await untilIdle(pids.server), engine: await untilIdle(pids.engine) };
  const before = { server: cpuTime(pids.server), engine: cpuTime(pids.engine) };
  const began = performance.now();
  const { times, errors } = await openLoop(rate, seconds, send);
  // The turns' memories and metrics are written later.
  await Promise.all([untilIdle(pids.server), untilIdle(pids.engine)]);
  const passed = (performance.now() - began) / 1000;
  const perTurn = (name: "server" | "engine") =>
    Math.max(0, cpuTime(pids[name]) - before[name] - idle[name] * passed) / (times.length + errors);
  const added = [0.5, 0.95, 0.99].map((p) => quantile(times, p) - quantile(alone, p));
  return [...added, errors, perTurn("server"), perTurn("engine")];
}

const question = (n: number): string => `What did I say about this: ${sentence("question", n)}`;

async function ask(provider: string, content: string): Promise<number> {
  const body = { model: "bench", stream: true, messages: [{ role: "user", content }] };
  const response = await fetch(`${provider}/chat/completions`, { method: "POST", body: JSON.stringify(body) });
  return firstToken(response, '"content":"word', "[DONE]");
}

const WORDS =
  "river garden winter letter music bridge train coffee window doctor summer ticket market island friend lesson camera hotel bicycle dinner".split(
    " ",
  );

/** A sentence of 150 characters, about. Each has its own words, so that memories differ. */
function sentence(...seed: (string | number)[]): string {
  const random = randomOf(...seed);
  return Array.from({ length: 18 }, () => `${random.pick(WORDS)}${random.chance(0.3) ? random.below(500) : ""}`).join(
    " ",
  );
}

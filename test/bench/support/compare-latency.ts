import type { ChatHost } from "./chat-host.ts";
import { cpuTime, IDLE_WINDOW, idleCpu, untilIdle } from "./cpu-time.ts";
import { firstToken } from "./first-token.ts";
import { type Load, oneByOne, openLoop, quantile, throughput } from "./open-loop.ts";
import { format, printTable } from "./print-table.ts";
import { sentence } from "./sentence.ts";
import type { LangChain } from "./start-langchain.ts";

export interface Comparison {
  /** Turns that the sessions have before. */
  turns: readonly number[];
  /** Turns per second. Each system is also asked at 80 % of what it holds. */
  rates: readonly number[];
  /** Seconds for which turns are sent, per system and rate. */
  seconds: number;
  /** Turns that each system runs before it is measured, because JavaScript is compiled while it runs. */
  warmUp: number;
}

/** Sessions that take the turns of a system: at least so many, and more if they are short, because the turns make them longer. */
const SESSIONS = 8;
const SHORT = 400;

/** Turns at the same time for finding out how many a system holds per second, and for warming up. */
const CONCURRENT = 8;

/** The share of what a system holds at which it is measured. If a queue builds up, it is measured at this share of that rate again. */
const SHARE = 0.8;
const ATTEMPTS = 4;

/** A queue builds up when the median is so many times that of the lowest rate. */
const QUEUED = 4;

interface System {
  name: string;
  /** The process that answers, and its DynamoDB engine. */
  pids: { server: number; engine: number };
  fill(user: string, contents: readonly string[]): Promise<void>;
  turn(user: string, content: string): Promise<number>;
}

/** Runs the turn with this number. Resolves with the time of its first token. */
type Send = (n: number) => Promise<number>;

interface Run {
  /** Turns per second, or how they are sent. */
  rate: number | string;
  /** Milliseconds that a turn adds to the provider's first token. */
  added: number[];
  errors: number;
  /** CPU milliseconds per turn. */
  server: number;
  engine: number;
  bench: number;
}

/**
 * Sends turns one by one and at fixed rates to the provider itself, to Memocha with and without memory, and to LangChain, and prints what each adds to the
 * provider's first token, and the CPU time per turn of its processes, with everything that a turn causes later. The provider and the
 * clients run in the process of the benchmark, on the same CPUs.
 */
export async function compareLatency(
  { turns, rates, seconds, warmUp }: Comparison,
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
  for (const system of systems) {
    progress(`${system.name}: ${warmUp} turns to warm up`);
    const send = turnsOf(system, await store(system, 10));
    for (let n = 0; n < warmUp; n += CONCURRENT) {
      await Promise.all(Array.from({ length: CONCURRENT }, (_, k) => send(n + k)));
    }
  }
  const alone = await openLoop(20, seconds, (n) => ask(provider, question(n)));
  for (const length of turns) {
    const rows: (string | number)[][] = [];
    // Memocha with and without memory share the sessions, because it takes long to remember them.
    const stored = new Map<number, string[]>();
    for (const system of systems) {
      const { pids } = system;
      const at = `${system.name}, sessions of ${format(length)} turns`;
      progress(`${at}: storing the sessions`);
      const users = stored.get(pids.server) ?? (await store(system, length));
      stored.set(pids.server, users);
      const send = turnsOf(system, users);
      const [server, engine] = await Promise.all([idleCpu(pids.server), idleCpu(pids.engine)]);
      const idle = { server, engine };
      const toRow = ({ rate, added, errors, server, engine, bench }: Run) => {
        return [system.name, rate, ...added, errors, server, engine, bench, idle.server, idle.engine];
      };
      const run = async (rate: number) => {
        progress(`${at}: ${format(rate)} turns/s`);
        return await measure(system, rate, () => openLoop(rate, seconds, send), alone.times, idle);
      };
      progress(`${at}: one user`);
      rows.push(toRow(await measure(system, "one user", () => oneByOne(seconds, send), alone.times, idle)));
      let lowest = Number.POSITIVE_INFINITY;
      for (const rate of rates) {
        const result = await run(rate);
        lowest = Math.min(lowest, result.added[0] ?? lowest);
        rows.push(toRow(result));
      }
      progress(`${at}: how many turns per second it holds`);
      let rate = SHARE * (await sustained(system, Math.min(seconds, 5), send));
      for (let attempt = 1; ; attempt++) {
        const result = await run(rate);
        const isQueued = result.errors > 0 || (result.added[0] ?? 0) > QUEUED * lowest;
        if (isQueued && attempt < ATTEMPTS) rate *= SHARE;
        else {
          rows.push(toRow(result));
          break;
        }
      }
    }
    printTable(
      `Milliseconds that a turn adds to the provider's first token, at a fixed rate, and CPU milliseconds per turn: sessions of ${format(length)} turns`,
      ["", "turns/s", "p50", "p95", "p99", "errors", "server", "engine", "bench", "idle server/s", "idle engine/s"],
      rows,
    );
  }
  process.stdout.write(
    "CPU per turn is without that of the idle process (last two columns, per second), which is subtracted. The last rate of a system is " +
      "80 % of what it holds, work that the turns cause later included, or less until no queue builds up.\n",
  );
}

let prepared = 0;
let asked = 0;

/** Stores sessions of so many turns, one for each of the users that it returns. */
async function store({ pids, fill }: System, length: number): Promise<string[]> {
  const users = Array.from({ length: Math.max(SESSIONS, Math.round(SHORT / length)) }, () => `user-${prepared++}`);
  for (const user of users) {
    await fill(
      user,
      Array.from({ length: 2 * length }, (_, n) => sentence(user, n)),
    );
  }
  await Promise.all([untilIdle(pids.server), untilIdle(pids.engine)]);
  return users;
}

/** Returns a function that runs the next turn of one of the users. */
function turnsOf({ turn }: System, users: readonly string[]): Send {
  let next = 0;
  return () => turn(users[next++ % users.length] ?? "", question(asked++));
}

/** Turns per second that a system holds for long: the time counts until the work that they cause later is done. */
async function sustained({ pids }: System, seconds: number, send: Send): Promise<number> {
  const began = performance.now();
  const sent = (await throughput(CONCURRENT, seconds, send)) * seconds;
  await Promise.all([untilIdle(pids.server), untilIdle(pids.engine)]);
  return sent / ((performance.now() - began - IDLE_WINDOW) / 1000);
}

async function measure(
  { pids }: System,
  rate: Run["rate"],
  load: () => Promise<Load>,
  alone: readonly number[],
  idle: { server: number; engine: number },
): Promise<Run> {
  const before = { server: cpuTime(pids.server), engine: cpuTime(pids.engine), bench: cpuTime(process.pid) };
  const began = performance.now();
  const { times, errors } = await load();
  // The turns' memories and metrics are written later.
  await Promise.all([untilIdle(pids.server), untilIdle(pids.engine)]);
  const passed = (performance.now() - began) / 1000;
  const perTurn = (pid: number, from: number, idlePerSecond: number) =>
    Math.max(0, cpuTime(pid) - from - idlePerSecond * passed) / (times.length + errors);
  return {
    rate,
    added: [0.5, 0.95, 0.99].map((p) => quantile(times, p) - quantile(alone, p)),
    errors,
    server: perTurn(pids.server, before.server, idle.server),
    engine: perTurn(pids.engine, before.engine, idle.engine),
    bench: perTurn(process.pid, before.bench, 0),
  };
}

const question = (n: number): string => `What did I say about this: ${sentence("question", n)}`;

async function ask(provider: string, content: string): Promise<number> {
  const body = { model: "bench", stream: true, messages: [{ role: "user", content }] };
  const response = await fetch(`${provider}/chat/completions`, { method: "POST", body: JSON.stringify(body) });
  return firstToken(response, '"content":"word', "[DONE]");
}

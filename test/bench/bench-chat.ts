import { randomUUID } from "node:crypto";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createChatWorld, runTurn, turnRequest } from "../support/chat-world.ts";
import { startEngines } from "../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../support/fake-openai.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { createWorld } from "../support/world.ts";
import { type ChatHost, startChatHost } from "./support/chat-host.ts";
import { meter } from "./support/meter.ts";
import { format, mebibytes, printTable } from "./support/print-table.ts";

/** The fake provider: milliseconds to the first token, and per token. */
const FIRST_TOKEN = 200;
const PER_TOKEN = 20;
const ANSWER = "word ".repeat(30).trim();

const USAGE = `npm run bench -- chat [--quick]   turns, streamed through the local host against a fake provider

  --quick   run every part with few users and turns, to check that it works
`;

/** Measures the time that a turn adds to the model's time, and its capacity units, for sessions of different lengths. */
export async function run(args: string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const isQuick = args.includes("--quick");
  await capacity(isQuick ? [10, 200] : [10, 2000]);
  await conversation(isQuick ? 200 : 2000);
  const fake = await startFakeOpenAI();
  const host = await startChatHost(fake.url);
  try {
    fake.always({ firstToken: FIRST_TOKEN, perToken: PER_TOKEN, text: ANSWER });
    await Promise.all(Array.from({ length: 5 }, (_, n) => host.turn(`warm-${n}`)));
    for (const [users, turns] of isQuick ? QUICK_LOADS : LOADS) await latency(host, fake, users, turns);
    await lengths(host, isQuick ? [10, 200] : [10, 2000]);
    await endurance(host, fake, isQuick ? 200 : 5000);
  } finally {
    await host.stop();
    await fake.close();
  }
}

/** Number of users at the same time, and of turns of all users. */
const LOADS = [
  [100, 600],
  [300, 900],
] as const;
const QUICK_LOADS = [
  [10, 20],
  [30, 60],
] as const;

/** Capacity units of a turn, by the length of its session and the size of its messages, with ids of real length. */
async function capacity(lengths: readonly number[]): Promise<void> {
  const engines = await startEngines();
  const fake = await startFakeOpenAI();
  try {
    const world = createMemoryWorld(engines);
    const chat = createChatWorld(world, fake.url, { maxContextTokens: 20_000 });
    const specOf = () => ({ context: 32_000, input: 1, output: 2 });
    const recorder = createRecorder(createTable(engines.dynamodb, engines.metricsTable), world.stores.clock);
    const deps = { ...chat.deps, specOf, recorder, recall: world.recall };
    const { measure } = meter(engines.dynamodb);
    const rows: (string | number)[][] = [];
    for (const { bytes, length, memory } of [
      ...[300, 1024].flatMap((bytes) => lengths.map((length) => ({ bytes, length, memory: false }))),
      { bytes: 300, length: lengths[0] ?? 10, memory: true },
    ]) {
      const place = { user: randomUUID(), id: randomUUID() };
      await world.create(place.user, place.id, 3600);
      const content = "word ".repeat(bytes / 5).padEnd(bytes, ".");
      for (let n = 0; n < length; n += 50) {
        const inputs = Array.from({ length: Math.min(50, length - n) }, () => ({ role: "user" as const, content }));
        await appendMessages(deps, place, inputs, { seed: `${place.id} ${n}`, at: world.stores.clock() + n });
      }
      for (let n = 0; memory && n < MEMORIES / 10; n++) {
        const said = Array.from({ length: 10 }, (_, k) => `What I said of word number ${n * 10 + k}.`);
        await world.say(place.user, `earlier-${n}`, ...said);
        await world.deliver(place.user, `earlier-${n}`);
      }
      fake.always({ text: content });
      const say = async () => {
        await runTurn(deps, turnRequest(deps, place.user, place.id, content, { memory }));
        world.advance(1000);
      };
      // Fill the context window.
      for (let n = 0; n < 15; n++) await say();
      const turns = 20;
      const usage = await measure(async () => {
        for (let n = 0; n < turns; n++) await say();
      });
      rows.push([
        `${bytes} bytes, session of ${format(length)}${memory ? `, recalling from ${MEMORIES}` : ""}`,
        usage.wru / turns,
        usage.rru / turns,
        usage.calls / turns,
        usage.vectorBytes / turns / 1024,
        bytes === 300 ? "≤ 12 WRU, ≤ 4 RRU" : "≤ 16 WRU, ≤ 8 RRU",
      ]);
    }
    printTable(
      "Cost of a turn in DynamoDB (question, answer, limits and the metric of the call; window of 30 messages)",
      ["messages", "WRU", "RRU", "calls", "KB searched", "bar"],
      rows,
    );
  } finally {
    await Promise.all([engines.close(), fake.close()]);
  }
}

/** Number of memories of a user, in sessions of ten. */
const MEMORIES = 200;

/** One session with this number of turns: the prompt stays within the context window, counted by the real encoder. */
async function conversation(turns: number): Promise<void> {
  const engines = await startEngines();
  const fake = await startFakeOpenAI();
  try {
    const world = createWorld(engines);
    const chat = createChatWorld(world, fake.url, { maxMessages: 200, maxContextTokens: 6000 });
    const deps = {
      ...chat.deps,
      specOf: () => ({ context: 8192, input: 1, output: 2, encoding: "o200k_base" as const }),
    };
    await world.create("bench", "long");
    let longest = 0;
    for (let n = 0; n < turns; n++) {
      await runTurn(
        deps,
        turnRequest(deps, "bench", "long", `Question ${n}: ${"and what about the weather? ".repeat(n % 40)}`),
      );
      const { messages = [] } = fake.requests.pop() ?? {};
      longest = Math.max(
        longest,
        messages.reduce((sum, { content }) => sum + countTokens(content) + 4, 0),
      );
      world.advance(1000);
    }
    const { record } = await deps.messages.window({ user: "bench", id: "long" }, 1);
    printTable(
      "One long conversation",
      ["turns", "messages stored", "longest prompt in tokens", "bar"],
      [[format(turns), record?.message_count ?? 0, longest, "≤ 6,000"]],
    );
  } finally {
    await Promise.all([engines.close(), fake.close()]);
  }
}

/** Time to the first token through the host, compared with direct calls of the provider in the same run. */
async function latency(host: ChatHost, fake: FakeOpenAI, users: number, turns: number): Promise<void> {
  const name = (user: number) => `user-${users}-${user}`;
  await Promise.all(Array.from({ length: users }, (_, user) => host.open(name(user))));
  const direct = await load(users, turns, () => host.direct(fake.url));
  const through = await load(users, turns, (user) => host.turn(name(user)));
  const added = [0.5, 0.95, 0.99].map((p) => quantile(through.times, p) - quantile(direct.times, p));
  printTable(
    `Time to the first token that a turn adds to the provider's own, in ms: ${users} users, ${format(turns)} turns (200 ms first token, 50 tokens/s, 30 tokens)`,
    ["", "p50", "p95", "p99", "errors", "turns/s"],
    [
      [
        "direct",
        ...[0.5, 0.95, 0.99].map((p) => Math.round(quantile(direct.times, p))),
        direct.errors,
        direct.perSecond,
      ],
      [
        "through the host",
        ...[0.5, 0.95, 0.99].map((p) => Math.round(quantile(through.times, p))),
        through.errors,
        through.perSecond,
      ],
      ["added", ...added.map(Math.round), "", ""],
    ],
  );
}

/** The same for short and long sessions, after the host has remembered their messages. */
async function lengths(host: ChatHost, messages: readonly number[]): Promise<void> {
  const usersOf = (length: number) => Array.from({ length: 4 }, (_, n) => `long-${length}-${n}`);
  for (const length of messages) for (const user of usersOf(length)) await host.fill(user, length);
  await host.idle();
  const rows: (string | number)[][] = [];
  for (const length of messages) {
    const users = usersOf(length);
    const { times, errors } = await load(users.length, 80, (n) => host.turn(users[n] ?? ""));
    const beyond = [0.5, 0.95].map((p) => Math.round(quantile(times, p) - FIRST_TOKEN));
    rows.push([`${format(length)} messages`, ...beyond, errors]);
  }
  printTable(
    "Time to the first token beyond 200 ms, in ms, by the length of the session: 4 users, 80 turns",
    ["session", "p50", "p95", "errors"],
    rows,
  );
}

/** Memory of the host before and after this number of turns. Answers are short, so that it does not take an hour. */
async function endurance(host: ChatHost, fake: FakeOpenAI, turns: number): Promise<void> {
  fake.always({ text: "a short answer" });
  const warmUp = turns / 5;
  await load(50, warmUp, (user) => host.turn(`end-${user}`));
  const before = host.memory();
  const { errors, perSecond } = await load(50, turns, (user) => host.turn(`end-${user}`));
  const after = host.memory();
  printTable(
    `Memory of the host's process (resident) before and after ${format(turns)} turns of 50 users, after ${format(warmUp)} to warm up`,
    ["before", "after", "errors", "turns/s"],
    [[mebibytes(before), mebibytes(after), errors, perSecond]],
  );
}

interface Load {
  /** Milliseconds to the first token. */
  times: number[];
  errors: number;
  perSecond: number;
}

/** Runs turns of all users at the same time, one after the other per user. */
async function load(users: number, turns: number, turn: (user: number) => Promise<number>): Promise<Load> {
  const times: number[] = [];
  let errors = 0;
  let left = turns;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      while (left-- > 0) {
        await turn(user).then(
          (time) => times.push(time),
          () => errors++,
        );
      }
    }),
  );
  return { times, errors, perSecond: turns / ((performance.now() - began) / 1000) };
}

function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

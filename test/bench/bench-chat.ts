import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createChatWorld, runTurn, turnRequest } from "../support/chat-world.ts";
import { startEngines } from "../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../support/fake-openai.ts";
import { createMemoryWorld } from "../support/memory-world.ts";
import { promptBytes, sharedBeginning } from "../support/shared-beginning.ts";
import { createWorld } from "../support/world.ts";
import { type ChatHost, startChatHost } from "./support/chat-host.ts";
import { type Comparison, compareLatency } from "./support/compare-latency.ts";
import { meter } from "./support/meter.ts";
import { format, mebibytes, printTable } from "./support/print-table.ts";
import { words } from "./support/sentence.ts";
import { startLangChain } from "./support/start-langchain.ts";

const USAGE = `npm run bench -- chat [options]   turns, streamed through the local host against a fake provider

  --part NAME     run one part: cost, window, cache, latency or memory (default: all)
  --turns N,...   turns that the sessions of the part "latency" have (default 10,100,500)
  --rates N,...   turns per second that it sends, beside 80 % of what the machine holds (default 10,20)
  --seconds N     seconds for which it sends each (default 6: with LangChain, the part takes some eight minutes)
  --alone         do not compare with LangChain, which npm installs into a temporary folder
  --quick         run every part with few users and turns, to check that it works

  cost      capacity units of a turn
  window    one long conversation: the prompt stays within its limit
  cache     the share of a prompt that a provider's cache can reuse
  latency   what a turn adds to the provider's first token, and its CPU time, beside LangChain's chat history for DynamoDB
  memory    the memory of the host before and after many turns
`;

const options = {
  help: { type: "boolean", default: false },
  part: { type: "string" },
  turns: { type: "string" },
  rates: { type: "string" },
  seconds: { type: "string" },
  alone: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
} as const;

/** Measures the cost of a turn, and the time that it adds to the model's time, for sessions of different lengths. */
export async function run(args: string[]): Promise<void> {
  const { help, part, turns, rates, seconds, alone, quick } = parseArgs({ args, options }).values;
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  const isWanted = (name: string) => part === undefined || part === name;
  const listOf = (text: string | undefined, otherwise: number[]) => text?.split(",").map(Number) ?? otherwise;
  if (isWanted("cost")) await capacity(quick ? [10, 200] : [10, 2000]);
  if (isWanted("window")) await conversation(quick ? 200 : 2000);
  if (isWanted("cache")) await reuse();
  if (isWanted("latency")) {
    await latency(
      {
        turns: listOf(turns, quick ? [10] : [10, 100, 500]),
        rates: listOf(rates, quick ? [5] : [10, 20]),
        seconds: Number(seconds ?? (quick ? 2 : 6)),
        warmUp: quick ? 40 : 400,
      },
      !alone,
    );
  }
  if (isWanted("memory")) await endurance(quick ? 200 : 5000);
}

/** Runs with a host and a provider that answers at once, and ends all processes also when the benchmark is interrupted. */
async function withHost(
  work: (host: ChatHost, fake: FakeOpenAI, keep: AsyncDisposableStack) => Promise<void>,
): Promise<void> {
  const stack = new AsyncDisposableStack();
  // npm and the terminal both send a Ctrl-C: the second one must not end the process before everything has stopped.
  const interrupt = () => void end().finally(() => process.exit(130));
  let ending: Promise<void> | undefined;
  // A request that fails because the host stops must not end the process before the host's data is deleted.
  const end = (): Promise<void> => {
    ending ??= stack.disposeAsync();
    return ending;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  try {
    const fake = await startFakeOpenAI();
    stack.defer(() => fake.close());
    const host = await startChatHost(fake.url, stack);
    // Answers differ, because equal ones are remembered once.
    let answers = 0;
    fake.always(() => ({ text: `word ${words(29, "answer", answers++)}` }));
    await Promise.all(Array.from({ length: 5 }, (_, n) => host.turn(`warm-${n}`)));
    await work(host, fake, stack);
  } finally {
    await end();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupt);
  }
}

function latency(comparison: Comparison, isCompared: boolean): Promise<void> {
  return withHost(async (host, fake, keep) => {
    const progress = (text: string) => process.stderr.write(`${text}\n`);
    if (isCompared) progress("installing LangChain into a temporary folder");
    const langchain = isCompared ? await startLangChain(fake.url, keep) : null;
    await compareLatency(comparison, fake.url, host, langchain, progress);
  });
}

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
        // The metric of a turn is written with that of its request.
        await recorder.flush();
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

/**
 * One session: how much of a prompt is the same as the one before it, from its first byte on. Once the window is full, it slides by ten
 * messages at every fifth turn.
 */
async function reuse(): Promise<void> {
  const engines = await startEngines();
  const fake = await startFakeOpenAI();
  try {
    const world = createMemoryWorld(engines);
    const { deps } = createChatWorld(world, fake.url, { maxContextTokens: 100_000 });
    const specOf = () => ({ context: 200_000, input: 1, output: 2 });
    const recorded = Array.from({ length: MEMORIES }, (_, n) => `What I said of word number ${n}.`);
    await world.say("bench", "earlier", ...recorded);
    await world.deliver("bench", "earlier");
    const rows: (string | number)[][] = [];
    for (const memory of [false, true]) {
      const id = `memory-${memory}`;
      await world.create("bench", id, 0);
      fake.always({ text: "word ".repeat(200) });
      fake.requests.length = 0;
      for (let n = 0; n < 60; n++) {
        const content = `And what about word number ${n}? ${"Please explain. ".repeat(3)}`;
        const chat = { ...deps, specOf, recall: world.recall };
        await runTurn(chat, turnRequest(chat, "bench", id, content, { memory }));
        world.advance(1000);
      }
      const prompts = fake.requests.map(promptBytes);
      const shares = prompts.slice(1).map((prompt, n) => {
        const before = prompts[n] ?? "";
        const shared = sharedBeginning(before, prompt);
        return { before: shared / before.length, now: shared / prompt.length };
      });
      const mean = (of: "before" | "now", from: number, to: number) => {
        const some = shares.slice(from - 2, to - 1);
        return `${Math.round((100 * some.reduce((sum, share) => sum + share[of], 0)) / some.length)} %`;
      };
      const name = memory ? "with memory" : "without memory";
      rows.push([`${name}, turns 5 to 15`, mean("before", 5, 15), mean("now", 5, 15), "≥ 90 %"]);
      rows.push([`${name}, turns 21 to 60`, mean("before", 21, 60), mean("now", 21, 60), "> 70 %"]);
    }
    printTable(
      "Share of a prompt that a provider's cache can reuse (window of 30 messages, full at turn 15)",
      ["", "of the prompt before", "of this prompt", "bar"],
      rows,
    );
  } finally {
    await Promise.all([engines.close(), fake.close()]);
  }
}

/** Memory of the host before and after this number of turns. Answers are short, so that it does not take an hour. */
function endurance(turns: number): Promise<void> {
  return withHost(async (host, fake) => {
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
  });
}

/** Runs turns of all users at the same time, one after the other per user. */
async function load(users: number, turns: number, turn: (user: number) => Promise<number>) {
  let errors = 0;
  let left = turns;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      while (left-- > 0) await turn(user).catch(() => errors++);
    }),
  );
  return { errors, perSecond: turns / ((performance.now() - began) / 1000) };
}

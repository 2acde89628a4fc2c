import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createChatWorld, runTurn, turnRequest } from "../support/chat.ts";
import { startEngines } from "../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../support/fake-openai.ts";
import { createWorld } from "../support/world.ts";
import { type ChatHost, startChatHost } from "./support/chat-host.ts";
import { meter } from "./support/meter.ts";
import { format, mebibytes, printTable } from "./support/table.ts";

/** The ideal: 200 ms to the first token, then 50 tokens a second. */
const FIRST_TOKEN = 200;
const PER_TOKEN = 20;
const ANSWER = "word ".repeat(30).trim();

const USAGE = `npm run bench -- chat [--quick]   turns, streamed through the local host against a fake provider\n`;

/** What a turn adds to the model's own time, and what it costs, at sessions of different lengths. */
export async function run(args: string[]): Promise<void> {
  if (args.includes("--help")) {
    process.stdout.write(USAGE);
    return;
  }
  const isQuick = args.includes("--quick");
  await capacity();
  await conversation(isQuick ? 200 : 2000);
  const fake = await startFakeOpenAI();
  const host = await startChatHost(fake.url);
  try {
    fake.always({ firstToken: FIRST_TOKEN, perToken: PER_TOKEN, text: ANSWER });
    await warmUp(host);
    await latency(
      host,
      fake,
      isQuick
        ? [[20, 40]]
        : [
            [100, 300],
            [300, 600],
          ],
    );
    await lengths(host);
    if (!isQuick) await endurance(host, fake, 5000);
  } finally {
    await host.stop();
    await fake.close();
  }
}

/** Capacity units of a turn, by the length of its session and the size of its messages. */
async function capacity(): Promise<void> {
  const engines = await startEngines();
  const fake = await startFakeOpenAI();
  try {
    const world = createWorld(engines);
    const { deps } = createChatWorld(world, fake.url, { maxContextTokens: 20_000 });
    const { measure } = meter(engines.dynamodb);
    const rows: (string | number)[][] = [];
    for (const bytes of [300, 1024]) {
      for (const length of [10, 2000]) {
        const id = `${bytes}-${length}`;
        await world.create("bench", id);
        const content = "x".repeat(bytes);
        for (let n = 0; n < length; n += 50) {
          const inputs = Array.from({ length: Math.min(50, length - n) }, () => ({ role: "user" as const, content }));
          await appendMessages(deps, { user: "bench", id }, inputs, {
            seed: `${id} ${n}`,
            at: world.stores.clock() + n,
          });
        }
        fake.always({ text: content });
        await runTurn(deps, turnRequest(deps, "bench", id, content));
        const turns = 20;
        const usage = await measure(async () => {
          for (let n = 0; n < turns; n++) await runTurn(deps, turnRequest(deps, "bench", id, content));
        });
        const bar = bytes === 300 ? "≤ 12 WRU, ≤ 4 RRU" : "≤ 16 WRU";
        rows.push([
          `${bytes} bytes, session of ${length}`,
          usage.wru / turns,
          usage.rru / turns,
          usage.calls / turns,
          bar,
        ]);
      }
    }
    printTable(
      "Cost of a turn in DynamoDB (question, answer and limits; window of 30 messages)",
      ["messages", "WRU", "RRU", "calls", "bar"],
      rows,
    );
  } finally {
    await Promise.all([engines.close(), fake.close()]);
  }
}

/** One session of so many turns: what the model gets to read stays within its window, by the real encoder. */
async function conversation(turns: number): Promise<void> {
  const engines = await startEngines();
  const fake = await startFakeOpenAI();
  try {
    const world = createWorld(engines);
    const { deps } = createChatWorld(world, fake.url, { maxMessages: 200, maxContextTokens: 6000 });
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

async function warmUp(host: ChatHost): Promise<void> {
  await Promise.all(Array.from({ length: 5 }, (_, n) => host.turn(`warm-${n}`)));
}

/** Time to the first token through the host, beside that of calling the provider directly in the same run. */
async function latency(host: ChatHost, fake: FakeOpenAI, plans: readonly (readonly number[])[]): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const [users = 0, turns = 0] of plans) {
    const direct = await load(users, turns, () => host.direct(fake.url));
    const through = await load(users, turns, (user) => host.turn(`user-${users}-${user}`));
    const added = [0.5, 0.95, 0.99].map((p) => quantile(through.times, p) - quantile(direct.times, p));
    rows.push([
      `${users} users, ${turns} turns`,
      ...added.map(Math.round),
      through.errors,
      through.perSecond,
      direct.perSecond,
    ]);
  }
  printTable(
    "Time to the first token that a turn adds to the provider's own, in ms (200 ms first token, 50 tokens/s, 30 tokens)",
    ["load", "p50", "p95", "p99", "errors", "turns/s", "direct/s"],
    rows,
  );
}

/** The same at sessions of 10 and of 2,000 messages. */
async function lengths(host: ChatHost): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const length of [10, 2000]) {
    const users = Array.from({ length: 10 }, (_, n) => `long-${length}-${n}`);
    for (const user of users) await host.fill(user, length);
    const { times, errors } = await load(users.length, 100, (n) => host.turn(users[n] ?? ""));
    rows.push([`${length} messages`, ...[0.5, 0.95].map((p) => Math.round(quantile(times, p) - FIRST_TOKEN)), errors]);
  }
  printTable(
    "Time to the first token beyond 200 ms, in ms, by the length of the session",
    ["session", "p50", "p95", "errors"],
    rows,
  );
}

/** Memory of the host before and after so many turns; answers are short, so that it does not take an hour. */
async function endurance(host: ChatHost, fake: FakeOpenAI, turns: number): Promise<void> {
  fake.always({ text: "a short answer" });
  await load(50, 1000, (user) => host.turn(`end-${user}`));
  const before = host.memory();
  const { errors, perSecond } = await load(50, turns, (user) => host.turn(`end-${user}`));
  const after = host.memory();
  printTable(
    `Memory of the host's process (resident) before and after ${format(turns)} turns, after 1,000 to warm up`,
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

/** Runs turns, one after the other for each user, all users at once. */
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

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pMap from "p-map";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import type { Receipt } from "../../shared/privacy/erasure.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { caller } from "./support/caller.ts";
import { eraseMany } from "./support/erase-many.ts";
import { findMarks, markOf, userIdOf } from "./support/find-marks.ts";
import { type HostProcess, startHostProcess } from "./support/host-process.ts";
import { ACTIVE_SESSIONS, BROKEN, liveMarked } from "./support/marked-life.ts";
import { createOperator } from "./support/operator.ts";
import { printTable } from "./support/print-table.ts";
import { reportMarks } from "./support/report-marks.ts";

const USAGE = `Erases users while others go on writing, and then searches everything that the local host has stored for their marks.

  npm run bench -- erasure [--users N] [--erased N] [--quick] [--keep]
  npm run bench -- erasure --messages N [--plain]

  --users N    users (default 1000), each with sessions in every state and a mark in every field that takes text
  --erased N   those that are erased (default 300)
  --quick      40 users, of whom 12 are erased, and no wait for requests that began before
  --messages N erase one user with so many messages instead, and measure time and memory
  --plain      messages without memories
  --keep       keep the data directory, and print its name

Exit code 1 if a mark of an erased user is left, or one of another user is gone.
`;

/** Requests under way at once. */
const CONCURRENCY = 16;

/** Seconds until sessions expire. They must be filled before. */
const TTL = 60;

/** Milliseconds that the host may take for what it does by itself. */
const PATIENCE = 900_000;

/** Every n-th user has an export. */
const EXPORT_EVERY = 5;

/** Milliseconds from the request of an erasure until no request that began before runs any more, and until no signed URL is valid. */
const GRACE = 330_000;
const LATE = 2 * 3_600_000;

/** Milliseconds in which every function reads the last records of the stream. */
const SETTLE = 15_000;

const DAY = 86_400_000;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      users: { type: "string" },
      erased: { type: "string" },
      quick: { type: "boolean", default: false },
      messages: { type: "string" },
      plain: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  if (values.messages) {
    if ((await eraseMany(Number(values.messages), !values.plain, say)) > 0) process.exitCode = 1;
    return;
  }
  const users = Number(values.users ?? (values.quick ? 40 : 1000));
  const erased = Number(values.erased ?? Math.floor(users * 0.3));
  if (!(Number.isInteger(users) && Number.isInteger(erased) && erased > 0 && erased < users)) throw new Error(USAGE);
  const data = mkdtempSync(path.join(tmpdir(), "memocha-erasure-"));
  const remove = () => values.keep || rmSync(data, { recursive: true, force: true, maxRetries: 5 });
  const abort = new AbortController();
  const stop = () => abort.abort(new Error("stopped by a signal"));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await measure({ data, users, erased, quick: values.quick, signal: abort.signal });
  } finally {
    remove();
    if (values.keep) say(`the data is in ${data}`);
  }
}

interface Options {
  data: string;
  users: number;
  erased: number;
  quick: boolean;
  signal: AbortSignal;
}

async function measure(options: Options): Promise<void> {
  const { data, users, erased, signal } = options;
  const provider = await startFakeOpenAI();
  provider.always((request) => (JSON.stringify(request.messages).includes(BROKEN) ? { endAfter: 5 } : {}));
  const start = (keep: boolean) =>
    startHostProcess(
      data,
      { CHAT_BASE_URL: provider.url, CHAT_MODEL: "bench" },
      { keep, log: path.join(data, "host.log") },
    );
  let host = await start(false);
  try {
    const all = Array.from({ length: users }, (_, n) => n);
    // Every third or so, so that erased users and others share partitions of the lake and pages of indexes.
    const gone = new Set(all.filter((n) => Math.floor(((n + 1) * erased) / users) > Math.floor((n * erased) / users)));
    await liveAll(host, options, all);
    await host.stop();
    say("searching everything that is stored");
    const before = await findMarks(data);
    host = await start(true);
    const erasing = await eraseAll(
      host,
      options,
      gone,
      all.filter((n) => !gone.has(n)),
    );
    const operator = createOperator(host, data);
    await operator.ageErasures(LATE);
    await operator.run("jobs-erase");
    operator.close();
    // The host keeps the newest record of each stream: it has to be another user's.
    const call = await callerOf(host, data, all.find((n) => !gone.has(n)) ?? 0);
    await call("POST", "/v1/sessions", { id: "last" });
    await call("DELETE", "/v1/sessions/last");
    await call("POST", "/v1/exports", {});
    // Every function reads the last records. The next start deletes records of the stream that all have read.
    await sleep(SETTLE);
    await host.stop();
    host = await start(true);
    await sleep(SETTLE);
    await host.stop();
    say("searching everything that is stored, again");
    const after = await findMarks(data);
    const faults = reportMarks(before, after, gone) + erasing.faults;
    if (faults > 0) process.exitCode = 1;
  } finally {
    await host.stop();
    await provider.close();
  }
  signal.throwIfAborted();

  /** Lets all users live, and waits until what their requests have started is done. */
  async function liveAll(host: HostProcess, { data, signal }: Options, all: readonly number[]): Promise<void> {
    const began = performance.now();
    let done = 0;
    await pMap(
      all,
      async (user) => {
        signal.throwIfAborted();
        await liveMarked(user, await callerOf(host, data, user), TTL);
        if (++done % 50 === 0 || done === all.length) say(`${done} of ${all.length} users have said everything`);
      },
      { concurrency: CONCURRENCY },
    );
    say(`everything is said after ${seconds(began)} s; waiting for the archive`);
    const active = async () =>
      ((await (await fetch(`${host.url}/health`)).json()) as { active_sessions: number }).active_sessions;
    await until(async () => (await active()) <= all.length * ACTIVE_SESSIONS, signal);
    await pMap(
      all,
      async (user) => {
        const call = await callerOf(host, data, user);
        const restored = markOf(user, "session restored");
        await call("PATCH", `/v1/sessions/${restored}`, { ttl_seconds: 0 });
        await call("POST", `/v1/sessions/${restored}/restore`);
      },
      { concurrency: CONCURRENCY },
    );
    const operator = createOperator(host, data);
    const events = createEventStore(createTable(operator.dynamodb, host.metricsTable));
    const at = Date.now() - DAY;
    for (const user of all) {
      const metadata = { [markOf(user, "old event: key")]: markOf(user, "old event: value") };
      const event = { type: "custom", metadata, created_at: new Date(at).toISOString() } as const;
      await events.add({ ...event, id: `event-of-${user}`, user_id: userIdOf(user) });
    }
    say("building the lake");
    await operator.run("jobs-lake");
    await operator.run("jobs-export", { from: new Date(at).toISOString().slice(0, 10) });
    operator.close();
    say("exporting");
    await pMap(
      all.filter((user) => user % EXPORT_EVERY < 2),
      async (user) => {
        const call = await callerOf(host, data, user);
        const { id } = (await call("POST", "/v1/exports")).body;
        await until(async () => (await call("GET", `/v1/exports/${id}`)).body.status === "ready", signal);
      },
      { concurrency: 8 },
    );
    say(`all users have lived after ${seconds(began)} s`);
  }
}

/** Erases users while others write. Returns the number of faults. */
async function eraseAll(
  host: HostProcess,
  { data, quick, signal }: Options,
  gone: ReadonlySet<number>,
  others: readonly number[],
) {
  const began = performance.now();
  const counts = { refused: 0, accepted: 0, written: 0, remaining: 0 };
  const over = new AbortController();
  const writing = pMap(
    Array.from({ length: 4 }, (_, n) => n),
    async (n) => {
      for (let turn = n; !over.signal.aborted && !signal.aborted; turn += 4) {
        const user = others[turn % others.length] ?? 0;
        const call = await callerOf(host, data, user);
        const content = `I go on with ${markOf(user, "said during the erasure")}.`;
        await call("POST", `/v1/sessions/${markOf(user, "session active")}/messages`, { role: "user", content });
        counts.written++;
        await sleep(20);
      }
    },
  );
  writing.catch(() => undefined);
  const erasures = new Map<number, string>();
  await pMap(
    [...gone],
    async (user) => {
      const call = await callerOf(host, data, user);
      const twice = await Promise.all([call("POST", "/v1/erasures", {}), call("POST", "/v1/erasures", {})]);
      const [id] = new Set(twice.map(({ body }) => String(body.id)));
      erasures.set(user, id ?? "");
      for (const route of [`/v1/sessions/${markOf(user, "session active")}/messages`, "/v1/sessions/new/messages"]) {
        const { status } = await call("POST", route, { role: "user", content: "I am still here." }, { status: 409 });
        if (status === 409) counts.refused++;
        else counts.accepted++;
      }
    },
    { concurrency: 8 },
  );
  say(`${gone.size} erasures are requested`);
  const operator = createOperator(host, data);
  if (quick) {
    await operator.run("jobs-erase");
    await operator.ageErasures(GRACE);
  }
  const receipts = new Map<number, Receipt>();
  await until(
    async () => {
      if (quick) await operator.run("jobs-erase");
      for (const [user, id] of erasures) {
        if (receipts.has(user)) continue;
        const { body } = await (await callerOf(host, data, user))("GET", `/v1/erasures/${id}`);
        if (body.status === "complete") receipts.set(user, body);
      }
      say(`${receipts.size} of ${gone.size} erasures are complete`);
      return receipts.size === gone.size;
    },
    signal,
    10_000,
  );
  operator.close();
  over.abort();
  await writing;
  const stores = new Map<string, { found: number; remaining: number }>();
  for (const { name, found, remaining } of [...receipts.values()].flatMap((receipt) => receipt.stores)) {
    const sum = stores.get(name) ?? { found: 0, remaining: 0 };
    stores.set(name, { found: sum.found + found, remaining: sum.remaining + remaining });
    counts.remaining += remaining;
  }
  printTable(
    `The receipts of ${gone.size} erasures, complete after ${seconds(began)} s`,
    ["", "found", "remaining"],
    [...stores].map(([name, { found, remaining }]) => [name, found, remaining]),
  );
  printTable(
    "Requests during the erasures",
    ["", ""],
    [
      ["writes of erased users, refused with 409", counts.refused],
      ["  accepted", counts.accepted],
      ["writes of others, accepted", counts.written],
    ],
  );
  return { faults: counts.accepted + counts.remaining };
}

const callerOf = (host: HostProcess, data: string, user: number) => caller(host, data, userIdOf(user));

/** Waits until something holds. */
async function until(holds: () => Promise<boolean>, signal: AbortSignal, every = 500): Promise<void> {
  for (const began = performance.now(); !(await holds()); ) {
    if (performance.now() - began > PATIENCE) throw new Error("this takes too long");
    await sleep(every, undefined, { signal });
  }
}

const seconds = (began: number): number => Math.round((performance.now() - began) / 1000);

const say = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

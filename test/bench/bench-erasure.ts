import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pMap from "p-map";
import { counted } from "../../shared/counted.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { caller } from "./support/caller.ts";
import { failForGood, isArchived, mend, readDeadLetters, redrive } from "./support/dead-letters.ts";
import { eraseMany } from "./support/erase-many.ts";
import { eraseUsers } from "./support/erase-users.ts";
import { findMarks, markOf, userIdOf } from "./support/find-marks.ts";
import { type HostProcess, startHostProcess } from "./support/host-process.ts";
import { ACTIVE_SESSIONS, BROKEN, liveMarked } from "./support/marked-life.ts";
import { createOperator, type Operator } from "./support/operator.ts";
import { printTable } from "./support/print-table.ts";
import { say, seconds, until } from "./support/progress.ts";
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

/** Every n-th user has an export. */
const EXPORT_EVERY = 5;

/** Users of each kind, erased or not, whose jobs fail until dead letters are left. They have no export, because it would fail, too. */
const FAILING = 5;

/** Milliseconds from the request of an erasure until no signed URL is valid. */
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
    const staying = all.filter((n) => !gone.has(n));
    const failing = [[...gone], staying].flatMap((some) => some.filter((n) => !hasExport(n)).slice(0, FAILING));
    await liveAll(host, options, all, failing);
    await host.stop();
    say("searching everything that is stored");
    const before = await findMarks(data);
    host = await start(true);
    let faults = await eraseUsers(host, options, [...gone], staying);
    const operator = createOperator(host, data);
    await operator.ageErasures(LATE);
    await operator.run("jobs-erase");
    faults += await redriveAll(host, data, operator, failing, gone);
    operator.close();
    // The host keeps the newest record of each stream: it has to be another user's.
    const call = await callerOf(host, data, staying[0] ?? 0);
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
    faults += reportMarks(before, after, gone);
    if (faults > 0) process.exitCode = 1;
  } finally {
    await host.stop();
    await provider.close();
  }
  signal.throwIfAborted();

  /** Lets all users live, and waits until what their requests have started is done. */
  async function liveAll(
    host: HostProcess,
    { data, signal }: Options,
    all: readonly number[],
    failing: readonly number[],
  ): Promise<void> {
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
    say(`everything is said after ${seconds(began)} s; waiting for the archive and for dead letters`);
    const operator = createOperator(host, data);
    for (const user of failing) await failForGood(user, await callerOf(host, data, user), operator);
    const active = async () =>
      ((await (await fetch(`${host.url}/health`)).json()) as { active_sessions: number }).active_sessions;
    const rest = all.length * ACTIVE_SESSIONS + failing.length;
    await until(async () => {
      const late = (await active()) - rest;
      return late <= 0 || `${counted(late, "session")} not archived yet`;
    }, signal);
    await until(async () => {
      const { named, unarchived } = await readDeadLetters(data, failing);
      const left = Math.min(named.length, unarchived.length);
      return left === failing.length || `jobs of ${left} of ${failing.length} users have failed for good`;
    }, signal);
    say(`dead letters of ${failing.length} users are left; restoring sessions`);
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
    const exporting = all.filter(hasExport);
    say(`building ${exporting.length} exports`);
    let built = 0;
    await pMap(
      exporting,
      async (user) => {
        const call = await callerOf(host, data, user);
        const { id } = (await call("POST", "/v1/exports")).body;
        const read = async () => (await call("GET", `/v1/exports/${id}`)).body.status;
        await until(async () => (await read()) === "ready" || `the export ${id} is not ready`, signal);
        if (++built % 50 === 0) say(`${built} of ${exporting.length} exports are ready`);
      },
      { concurrency: 8 },
    );
    say(`all users have lived after ${seconds(began)} s`);
  }
}

/**
 * Delivers all dead letters again, after the sessions of the users who stay were mended. The jobs must do for them what they could not, and
 * nothing for the erased. The event of the operator fails again: its letter stays. Returns the number of faults.
 */
async function redriveAll(
  host: HostProcess,
  data: string,
  operator: Operator,
  failing: readonly number[],
  gone: ReadonlySet<number>,
): Promise<number> {
  const before = await readDeadLetters(data, failing);
  const staying = failing.filter((user) => !gone.has(user));
  for (const user of staying) await mend(user, operator);
  say("delivering dead letters again");
  const left = await redrive(data, say);
  const archived: number[] = [];
  for (const user of failing) if (await isArchived(user, await callerOf(host, data, user))) archived.push(user);
  const ofGone = (users: readonly number[]) => users.filter((user) => gone.has(user)).length;
  const ofStaying = (users: readonly number[]) => users.length - ofGone(users);
  printTable(
    `Dead letters of ${failing.length} users, of whom ${ofGone(failing)} are erased`,
    ["", "erased", "others"],
    [
      ["users whom letters name after the erasures", ofGone(before.named), ofStaying(before.named)],
      ["sessions that are archived after letters were delivered again", ofGone(archived), ofStaying(archived)],
      ["letters that are left", "", left],
    ],
  );
  const expected = staying.length;
  return (
    ofGone(before.named) +
    ofGone(archived) +
    [ofStaying(before.named), ofStaying(archived), left].filter((count) => count !== expected).length
  );
}

const hasExport = (user: number): boolean => user % EXPORT_EVERY < 2;

const callerOf = (host: HostProcess, data: string, user: number) => caller(host, data, userIdOf(user));

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { importFiles } from "../../infra/cli/import/import-files.ts";
import { startDynamo } from "../../infra/local/dynamodb/start-dynamo.ts";
import { loadIssuerKey } from "../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../infra/local/issuer/sign-token.ts";
import { startCapacityProxy } from "./support/capacity-proxy.ts";
import { currentOf, type Input, prepareConversations, saidBy, type Written } from "./support/conversations.ts";
import { type HostProcess, startHostProcess } from "./support/host-process.ts";
import { takeLakeStock } from "./support/lake-stock.ts";
import { mebibytes, printTable } from "./support/print-table.ts";
import { countRequests, printRequests } from "./support/requests.ts";
import { takeStock } from "./support/stock.ts";

/** Numbers of conversations to read back through the API, and of those to restore. */
const SAMPLE = 100;
const RESTORED = 30;

/** Number of conversations to run a second time while every call to DynamoDB is metered, which is slower. */
const METERED = 200;

/** Number of sessions to import at the same time. */
const CONCURRENCY = 16;

/** Milliseconds without an archived session after which the remaining sessions count as lost. */
const PATIENCE = 120_000;

interface Options {
  users: number;
  /** Seconds. */
  ttl: number;
  /** Every n-th conversation gets parts, a file and branches. */
  branchedEvery: number;
}

/** Runs every conversation of a JSON Lines file through its whole life in a new host, and compares the result with the file. */
export async function run(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      users: { type: "string", default: "20" },
      ttl: { type: "string", default: "20" },
      sessions: { type: "string" },
      "branched-every": { type: "string", default: "5" },
    },
  });
  const [file] = positionals;
  if (!file)
    throw new Error("npm run bench -- life FILE [--users N] [--ttl SECONDS] [--sessions N] [--branched-every N]");
  const { users, ttl, sessions, "branched-every": every } = values;
  const options = { users: Number(users), ttl: Number(ttl), branchedEvery: Number(every) };
  const most = Number(sessions ?? Number.POSITIVE_INFINITY);
  const scratch = mkdtempSync(path.join(tmpdir(), "memocha-life-"));
  try {
    const metered = { ...options, most: Math.min(most, METERED) };
    const part = await prepareConversations(file, path.join(scratch, "part.jsonl"), metered);
    const whole = await prepareConversations(file, path.join(scratch, "whole.jsonl"), { ...options, most });
    await live(path.basename(file), whole, path.join(scratch, "data"), options);
    await liveMetered(part, path.join(scratch, "metered"), options);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function live(name: string, input: Input, data: string, options: Options): Promise<void> {
  const host = await startHostProcess(data);
  const requests = countRequests(host.url);
  try {
    const { written, messages } = input;
    const { summary, importSeconds } = await importAll(input, host, data, options);
    const archiveSeconds = importSeconds + (await untilArchived(host));
    say("reading everything in the archive and in the table");
    const before = await takeStock(host, written);
    const lake = await takeLakeStock(host, path.join(data, "lake-stock"), written);

    const step = Math.max(1, Math.floor(written.length / SAMPLE));
    const sample = written.filter((_, n) => n % step === 0).slice(0, SAMPLE);
    const restored = sample.slice(0, RESTORED);
    const wrong = { archived: 0, restored: 0 };
    for (const each of sample) if (!(await readsBack(host, data, each))) wrong.archived++;
    for (const { user, session } of restored) {
      // Restored sessions must not expire before they are counted.
      await call(host, data, user, "PATCH", `/v1/sessions/${session}`, { ttl_seconds: 3600 });
      await call(host, data, user, "POST", `/v1/sessions/${session}/restore`);
    }
    for (const each of restored) if (!(await readsBack(host, data, each))) wrong.restored++;
    const after = await takeStock(host, written);

    const memory = host.peak();
    printTable(
      `The life of ${name}: ${options.users} users, a TTL of ${options.ttl} s`,
      ["", "sessions", "messages"],
      [
        ["in the file", written.length, messages],
        ["  with tools, a file and branches", input.branched, ""],
        ["imported", summary.imported, summary.messages],
        ["archived", before.archivedSessions, before.archived],
        ["lost", written.length - before.archivedSessions, before.lost],
        ["duplicated", before.objects - before.archivedSessions, before.duplicated],
        ["in lake", lake.sessions, lake.messages],
        ["  lost", "", lake.lost],
        ["  duplicated", "", lake.duplicated],
        ["read back from the archive", sample.length, count(sample)],
        ["  of these, wrong", wrong.archived, ""],
        ["restored", restored.length, after.hot],
        ["  of these, wrong", wrong.restored, ""],
        ["files", "", input.files],
        ["  lost or doubled", "", Math.abs(before.files - input.files) + Math.abs(after.files - input.files)],
        ["lost after restoring", "", after.lost],
        ["duplicated after restoring", "", after.duplicated],
      ],
    );
    printTable(
      "Rates",
      ["", "sessions/s", "messages/s", "seconds"],
      [
        ["imported", summary.imported / importSeconds, summary.messages / importSeconds, importSeconds],
        [
          "imported, expired and archived",
          before.archivedSessions / archiveSeconds,
          before.archived / archiveSeconds,
          archiveSeconds,
        ],
      ],
    );
    const contents = written
      .flatMap((each) => each.messages)
      .reduce((all, { content, parts }) => all + Buffer.byteLength(saidBy(content, parts)), 0);
    printTable(
      "Sizes",
      ["", ""],
      [
        ["objects in the archive", before.objects],
        ["bytes in the archive", mebibytes(before.bytes)],
        ["bytes of content", mebibytes(contents)],
        ["peak memory of the host", mebibytes(memory.host)],
        ["peak memory of the embedded DynamoDB", mebibytes(memory.engine)],
        ["peak memory of this process: importer and counts", mebibytes(process.resourceUsage().maxRSS * 1024)],
      ],
    );
    const difference = await printRequests(host.url, data, requests.made());
    const faults =
      Math.abs(difference) +
      Math.abs(before.files - input.files) +
      Math.abs(after.files - input.files) +
      lake.lost +
      lake.duplicated +
      before.lost +
      before.duplicated +
      after.lost +
      after.duplicated +
      wrong.archived +
      wrong.restored;
    if (faults > 0) process.exitCode = 1;
  } finally {
    requests.stop();
    await host.stop();
  }
}

/** Runs some of the conversations again, with a metered DynamoDB of its own. */
async function liveMetered(input: Input, data: string, options: Options): Promise<void> {
  const dynamo = await startDynamo({ directory: null, log: () => undefined });
  const meter = await startCapacityProxy(dynamo.endpoint);
  const host = await startHostProcess(data, { DYNAMODB_ENDPOINT: meter.url });
  const sweeps = setInterval(() => dynamo.sweepTtl().catch(() => undefined), 1000);
  try {
    await importAll(input, host, data, options);
    const imported = meter.take();
    await untilArchived(host);
    const archived = meter.take();
    const row = (what: string, { calls, rru, wru }: typeof imported) =>
      [what, calls / input.messages, rru / input.messages, wru / input.messages] as const;
    printTable(
      `Consumed by a message of ${input.written.length} conversations (${input.messages} messages)`,
      ["", "calls", "RRU", "WRU"],
      [row("import", imported), row("archive", archived)],
    );
  } finally {
    clearInterval(sweeps);
    await host.stop();
    await meter.close();
    await dynamo.close();
  }
}

async function importAll({ file, written }: Input, host: HostProcess, data: string, { ttl }: Options) {
  const began = performance.now();
  let said = began;
  const summary = await importFiles({
    files: [file],
    url: host.url,
    token: () => token(data, "bench", true),
    userField: "user",
    ttlSeconds: ttl,
    concurrency: CONCURRENCY,
    onProgress: ({ imported }) => {
      if (performance.now() - said < 5000) return;
      said = performance.now();
      say(`imported ${imported} of ${written.length} conversations`);
    },
  });
  for (const { place, reason } of summary.problems.slice(0, 5)) say(`not imported: ${place}: ${reason}`);
  return { summary, importSeconds: (performance.now() - began) / 1000 };
}

/** Waits until no session is hot, or until no more sessions are archived. Returns the seconds. */
async function untilArchived(host: HostProcess): Promise<number> {
  const began = performance.now();
  let last = { active: Number.POSITIVE_INFINITY, at: began };
  for (let n = 1; ; n++) {
    const { active_sessions: active } = (await (await fetch(`${host.url}/health`)).json()) as {
      active_sessions: number;
    };
    const now = performance.now();
    if (active === 0 || now - last.at > PATIENCE) return (now - began) / 1000;
    if (active < last.active) last = { active, at: now };
    if (n % 10 === 0) say(`${active} sessions are still hot`);
    await sleep(500);
  }
}

interface Shown {
  id: string;
  parent_id: string | null;
  content: string;
  parts?: Record<string, unknown>[];
}

/** Whether the API returns the current branch in order, all messages with their parents, and the contents of files. */
async function readsBack(host: HostProcess, data: string, written: Written): Promise<boolean> {
  const { user, session, messages } = written;
  const current = await listMessages(host, data, written, "current");
  const all = await listMessages(host, data, written, "all");
  const said = new Map(all.map(({ id, content, parts }) => [id, saidBy(content, parts)]));
  const pairs = all.map(({ id, parent_id }) => [said.get(id), parent_id === null ? null : said.get(parent_id)]);
  const expected = messages.map(({ content, parts, parent }) => {
    const above = parent === undefined ? undefined : messages[parent];
    return [saidBy(content, parts), above ? saidBy(above.content, above.parts) : null];
  });
  const isSame =
    JSON.stringify(current.map(({ content, parts }) => saidBy(content, parts))) ===
      JSON.stringify(currentOf(written)) &&
    JSON.stringify(pairs.map((pair) => JSON.stringify(pair)).sort()) ===
      JSON.stringify(expected.map((pair) => JSON.stringify(pair)).sort());
  if (!isSame) say(`${user}/${session} differs`);
  const ids = all.flatMap(({ parts = [] }) =>
    parts.flatMap(({ file_id }) => (typeof file_id === "string" ? [file_id] : [])),
  );
  const contents = await Promise.all(ids.map((id) => readFile(host, data, user, id)));
  return isSame && JSON.stringify(contents) === JSON.stringify(messages.flatMap(({ file }) => file ?? []));
}

async function listMessages(
  host: HostProcess,
  data: string,
  { user, session }: Written,
  branch: string,
): Promise<Shown[]> {
  const found: Shown[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${cursor}`;
    const route = `/v1/sessions/${session}/messages?limit=100&branch=${branch}${query}`;
    const page = await call(host, data, user, "GET", route);
    found.push(...(page.data as Shown[]));
    cursor = page.next_cursor as string | null;
  } while (cursor !== null);
  return found;
}

async function readFile(host: HostProcess, data: string, user: string, id: string): Promise<string> {
  const { url } = await call(host, data, user, "GET", `/v1/files/${id}`);
  const response = await fetch(String(url));
  if (!response.ok) throw new Error(`the content of the file ${id}: ${response.status}`);
  return response.text();
}

async function call(host: HostProcess, data: string, user: string, method: string, route: string, body?: object) {
  const response = await fetch(host.url + route, {
    method,
    headers: { authorization: `Bearer ${await token(data, user, false)}`, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

const token = async (data: string, user: string, actAs: boolean): Promise<string> =>
  signToken(await loadIssuerKey(data), { user, actAs });

const count = (written: readonly Written[]): number => written.reduce((sum, { messages }) => sum + messages.length, 0);

const say = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

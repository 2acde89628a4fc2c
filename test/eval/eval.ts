import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { firstLayout, openMemories } from "../../functions/compose-chat.ts";
import { startMemocha } from "../../infra/cli/start/start-memocha.ts";
import type { Host } from "../../infra/local/index.ts";
import { createLog } from "../../infra/local/log.ts";
import { loadConfig } from "../../shared/config.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createOpenAIEmbedder } from "../../shared/memory/embedder.openai.ts";
import { createRecall } from "../../shared/memory/recall.ts";
import { meter } from "../bench/support/meter.ts";
import { readLocomo, type Sample } from "./locomo.ts";
import { CUTOFFS, type Found, quantile, scoresOf } from "./scores.ts";

const USAGE = `Measures whether memory finds what was said: loads conversations through the API of a local host, asks their questions.

  npm run eval -- FILE        FILE: locomo10.json (https://github.com/snap-research/locomo)
`;

/** Messages of one request. */
const BATCH = 99;

/** Questions of which the capacity is measured. */
const METERED = 100;

const CATEGORIES: Record<number, string> = { 1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop" };

const said = createLog({ verbose: false, write: (line) => process.stderr.write(line) });
/** Not every request. */
const log = { ...said, request: () => undefined };

const [file] = process.argv.slice(2);
if (file === undefined || file.startsWith("-")) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  await evaluate(readLocomo(file));
}

async function evaluate(samples: Sample[]): Promise<void> {
  const data = mkdtempSync(path.join(tmpdir(), "memocha-eval-"));
  let host: Host | undefined;
  try {
    host = await startMemocha({ data, port: 0, ttlSweep: 0, log });
    const call = createCaller(host, await host.token({ user: "eval", actAs: true }));
    const began = performance.now();
    for (const sample of samples) await load(call, sample);
    const loaded = performance.now();
    const memories = await settled(call, samples);
    const messages = samples.flatMap(({ sessions }) => sessions.flatMap((session) => session.messages)).length;
    say(
      `${messages} messages of ${samples.length} users in ${seconds(loaded - began)} s, ${memories} memories ${seconds(performance.now() - loaded)} s later`,
    );

    const found: Found[] = [];
    const latencies: number[] = [];
    for (const { id, questions } of samples) {
      for (const { text, category, evidence } of questions) {
        const asked = performance.now();
        const { data: results } = await call<{ data: { message_id: string }[] }>(id, "POST", "/v1/memories/search", {
          query: text,
          limit: Math.max(...CUTOFFS),
        });
        latencies.push(performance.now() - asked);
        const ids = results.map(({ message_id }) => message_id);
        found.push({ category, ranks: evidence.map((turn) => (ids.includes(turn) ? ids.indexOf(turn) + 1 : null)) });
      }
    }
    report(found, latencies);
    await reportCapacity(host, samples);
  } finally {
    await host?.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

type Call = <T>(user: string, method: string, route: string, body?: unknown) => Promise<T>;

function createCaller({ url }: Host, token: string): Call {
  return async (user, method, route, body) => {
    const response = await fetch(url + route, {
      method,
      headers: { authorization: `Bearer ${token}`, "x-user-id": user, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
    return (await response.json()) as never;
  };
}

async function load(call: Call, { id: user, sessions }: Sample): Promise<void> {
  for (const { id, messages } of sessions) {
    await call(user, "POST", "/v1/sessions", { id, created_at: messages[0]?.created_at });
    for (let start = 0; start < messages.length; start += BATCH) {
      await call(user, "POST", `/v1/sessions/${id}/messages`, { messages: messages.slice(start, start + BATCH) });
    }
  }
}

/** Waits until no more memories come; gives their number. */
async function settled(call: Call, samples: Sample[]): Promise<number> {
  for (let before = -1; ; await sleep(3000)) {
    const counts = await Promise.all(samples.map(({ id }) => count(call, id)));
    const total = counts.reduce((sum, n) => sum + n, 0);
    if (total === before && counts.every((n) => n > 0)) return total;
    before = total;
  }
}

async function count(call: Call, user: string): Promise<number> {
  let n = 0;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${cursor}`;
    const page = await call<{ data: unknown[]; next_cursor: string | null }>(
      user,
      "GET",
      `/v1/memories?limit=100${query}`,
    );
    n += page.data.length;
    cursor = page.next_cursor;
  } while (cursor !== null);
  return n;
}

function report(found: readonly Found[], latencies: readonly number[]): void {
  say(
    `\n${"category".padEnd(14)}${"questions".padStart(10)}${CUTOFFS.map((k) => `R@${k}`.padStart(8)).join("")}${"MRR".padStart(8)}`,
  );
  const row = (name: string, some: readonly Found[]) => {
    const { questions, recall, mrr } = scoresOf(some);
    const cells = [...recall.map((value) => value.toFixed(1)), mrr.toFixed(3)];
    say(`${name.padEnd(14)}${String(questions).padStart(10)}${cells.map((cell) => cell.padStart(8)).join("")}`);
  };
  for (const [category, name] of Object.entries(CATEGORIES)) {
    row(
      name,
      found.filter((entry) => entry.category === Number(category)),
    );
  }
  row("all", found);
  say(
    `\nsearch latency: p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p95 ${quantile(latencies, 0.95).toFixed(1)} ms`,
  );
}

/** What searches consume, of the same code on the same table without HTTP. */
async function reportCapacity(host: Host, samples: Sample[]): Promise<void> {
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({
      endpoint: host.endpoints.dynamodb,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    }),
  );
  const { measure } = meter(client);
  const config = loadConfig();
  const deps = openMemories(
    config,
    createTable(client, String(host.outputs.ConversationsTableName)),
    createOpenAIEmbedder,
  );
  const recall = createRecall(deps);
  const questions = samples
    .flatMap(({ id, questions }) => questions.map(({ text }) => ({ id, text })))
    .slice(0, METERED);
  const { calls, rru, vectorBytes } = await measure(async () => {
    for (const { id, text } of questions) await recall(id, { text, limit: 10 });
  });
  const each = (total: number) => (total / questions.length).toFixed(1);
  say(
    `a search of 10 (${firstLayout(config).space.model}): ${each(calls)} calls, ${each(rru)} read units, ${each(vectorBytes / 1024)} KB of vector search`,
  );
  client.destroy();
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

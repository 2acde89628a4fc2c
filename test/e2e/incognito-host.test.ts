import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startMemocha } from "../../infra/cli/start/start-memocha.ts";
import type { Host } from "../../infra/local/index.ts";
import { createLog } from "../../infra/local/log.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../support/fake-openai.ts";
import { sharedAssembly } from "../support/shared-assembly.ts";
import { readItems, readKeys, tableName } from "./read-stored.ts";

const SECRET = "zanzibar";
/** Seconds. */
const TTL = 4;

const temporary = temporaryDirectory();
const problems: string[] = [];
let fake: FakeOpenAI;
let host: Host;
let dynamodb: DynamoDBDocumentClient;

beforeAll(async () => {
  fake = await startFakeOpenAI();
  vi.stubEnv("OPENAI_BASE_URL", fake.url);
  vi.stubEnv("EMBEDDING_MODEL", "lexical");
  const log = {
    ...createLog({ verbose: false, write: () => undefined }),
    error: (text: string) => void problems.push(text),
  };
  const [assembly, data] = [await sharedAssembly(), temporary.directory];
  host = await startMemocha({ assembly, data, port: 0, ttlSweep: 1, log });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({ region: "us-east-1", credentials, endpoint: host.endpoints.dynamodb });
  dynamodb = DynamoDBDocumentClient.from(client);
}, 120_000);
afterAll(async () => {
  dynamodb.destroy();
  await host.stop();
  await fake.close();
  vi.unstubAllEnvs();
  temporary.remove();
});

async function call(method: string, route: string, body?: object) {
  const headers = { authorization: `Bearer ${await host.token({ user: "ann" })}`, "content-type": "application/json" };
  const response = await fetch(host.url + route, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, text, body: text === "" ? undefined : JSON.parse(text) };
}

/** The keys of the items of the table `conversations` that contain a text. */
async function itemsWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { Items = [] } of paginateScan(
    { client: dynamodb },
    { TableName: tableName(host, "conversations") },
  )) {
    found.push(...Items.flatMap((item) => (JSON.stringify(item).includes(text) ? [`${item.pk} ${item.sk}`] : [])));
  }
  return found;
}

/** The keys of all objects of the archive and of files. */
const objects = async () => (await readKeys(host)).filter((key) => /^(archive|files)\//.test(key));

async function begin(id: string): Promise<void> {
  const created = await call("POST", "/v1/sessions", { id, title: SECRET, incognito: true, ttl_seconds: TTL });
  expect([created.status, created.body.incognito]).toEqual([201, true]);
  const parts = [
    { type: "text", text: `I live in ${SECRET}` },
    { type: "file", data: `data:text/plain,${SECRET}`, filename: `${SECRET}.txt` },
  ];
  expect((await call("POST", `/v1/sessions/${id}/messages`, { role: "user", parts })).status).toBe(201);
  const answer = await call("POST", `/v1/sessions/${id}/chat`, {
    content: `What do you know of ${SECRET}?`,
    incognito: true,
  });
  expect([answer.status, answer.body.memories]).toEqual([200, []]);
}

it("an incognito session on the host leaves nothing when its time is over", { timeout: 120_000 }, async () => {
  await begin("hidden");
  expect((await itemsWith(SECRET)).length).toBeGreaterThan(0);
  expect((await objects()).length).toBe(1);
  await vi.waitUntil(async () => (await call("GET", "/v1/sessions/hidden")).status === 404, {
    timeout: 30_000,
    interval: 200,
  });
  expect((await call("GET", "/v1/sessions?status=all")).body.data).toEqual([]);
  expect((await call("POST", "/v1/sessions/hidden/restore")).status).toBe(404);
  await vi.waitUntil(async () => (await itemsWith(SECRET)).length === 0, { timeout: 60_000, interval: 500 });
  expect(await objects()).toEqual([]);
  // The streams still have what was ever stored: no memory was among it.
  const everything = await readItems(host);
  expect(everything.filter(([, { memory_of }]) => memory_of !== undefined)).toEqual([]);
  expect(problems).toEqual([]);
});

it("the id of an expired incognito session is free at once, by every route that begins a session", {
  timeout: 120_000,
}, async () => {
  const question = { content: "Hello", incognito: true };
  const ways: Record<string, () => Promise<{ status: number; text: string }>> = {
    created: () => call("POST", "/v1/sessions", { id: "created" }),
    asked: () => call("POST", "/v1/sessions/asked/chat", question),
    completed: () =>
      call("POST", "/v1/chat/completions", {
        messages: [{ role: "user", content: "Hello" }],
        metadata: { session_id: "completed", incognito: "true" },
      }),
  };
  for (const id of Object.keys(ways)) await begin(id);
  // Between the expiry and the end of the deletion, at several times.
  await sleep(TTL * 1000);
  for (const [id, begins] of Object.entries(ways)) {
    const { status, text } = await begins();
    expect([id, status < 300, text.includes(SECRET)]).toEqual([id, true, false]);
    expect((await call("GET", `/v1/sessions/${id}/messages`)).text).not.toContain(SECRET);
  }
  expect(problems).toEqual([]);
});

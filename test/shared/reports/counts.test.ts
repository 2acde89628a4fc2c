import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { createFoldJob } from "../../../functions/jobs/fold.ts";
import { createAppendMessages } from "../../../functions/messages/append.ts";
import { createGetMetrics } from "../../../functions/metrics/get.ts";
import { createGetReport } from "../../../functions/reports/get.ts";
import { createCreateSession } from "../../../functions/sessions/create.ts";
import { createDeleteSession } from "../../../functions/sessions/delete.ts";
import { createResetSession } from "../../../functions/sessions/reset.ts";
import { createRestoreSession } from "../../../functions/sessions/restore.ts";
import type { Listening } from "../../../infra/local/listen.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createIdempotencyStore } from "../../../shared/idempotency/idempotency-store.dynamodb.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricRow } from "../../../shared/metrics/query-metrics.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import type { Report } from "../../../shared/reports/report.ts";
import { createReportStore } from "../../../shared/reports/report-store.s3.ts";
import { createChatWorld, createInstance } from "../../support/chat-world.ts";
import { createFaults } from "../../support/create-faults.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let faults: ReturnType<typeof createFaults>;

/** Every session and message that was ever in the table. The report must count these. */
const data = { sessions: new Set<string>(), messages: new Set<string>(), users: new Set<string>() };
/** The responses to clients. */
const told = { requests: 0, failed: 0 };

beforeAll(async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  faults = createFaults(engines.dynamodb);
  const { stores, table } = world;
  const metrics = createTable(engines.dynamodb, engines.metricsTable);
  const recorder = createRecorder(metrics, stores.clock);
  const chat = createChatWorld(world, fake.url).deps;
  const model = createInstance(table, { url: fake.url, threshold: 1000, maxAttempts: 1 });
  const idempotency = createIdempotencyStore(table);
  const http = { clock: stores.clock, corsOrigins: [], recorder };
  const posts = { ...http, ...stores, idempotency };
  // Operations record a metric each. Reading the counts records none, so that it does not change them.
  const reading = { ...http, recorder: undefined as never, store: createMetricStore(metrics) };
  api = await startChatServer(
    world,
    { ...chat, recorder, model },
    {
      createSession: createCreateSession({ ...posts, defaultTtlSeconds: 3600 }),
      appendMessages: createAppendMessages(posts),
      deleteSession: createDeleteSession({ ...http, ...stores }),
      resetSession: createResetSession(posts),
      restoreSession: createRestoreSession(posts),
      getMetrics: createGetMetrics(reading),
      getReport: createGetReport({ ...reading, reports: createReportStore(engines.s3, engines.bucket) }),
    },
  );
});
afterAll(async () => {
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

/** Notes the items in the table. A session that is created again is a new one; a restored message is not. */
async function look(): Promise<void> {
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await engines.dynamodb.send(
      new ScanCommand({ TableName: engines.tableName, ExclusiveStartKey, ConsistentRead: true }),
    );
    for (const { pk, sk, seed, id } of page.Items ?? []) {
      if (sk === "A" && seed) data.sessions.add(`${pk} ${seed}`);
      if (String(sk).startsWith("M#")) data.messages.add(`${pk} ${id ?? String(sk).split("#").at(-1)}`);
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
}

interface Call {
  user?: string;
  key?: string;
  method?: string;
}

async function send(path: string, body: object | undefined, { user = "ann", key, method = "POST" }: Call = {}) {
  const response = await fetch(api.url + path, {
    method,
    headers: {
      authorization: `Bearer ${user}`,
      "content-type": "application/json",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  told.requests++;
  data.users.add(user.split("/")[0] ?? "");
  if (response.status >= 500) told.failed++;
  await look();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

const create = (body: object, call?: Call) => send("/v1/sessions", body, call);
const append = (id: string, body: object, call?: Call) => send(`/v1/sessions/${id}/messages`, body, call);
const chat = (id: string, body: object, call?: Call) => send(`/v1/sessions/${id}/chat`, body, call);
const complete = (body: object, call?: Call) => send("/v1/chat/completions", body, call);
const reset = (id: string) => send(`/v1/sessions/${id}/reset`, undefined);
const remove = (id: string) => send(`/v1/sessions/${id}`, undefined, { method: "DELETE" });

const says = (content: string) => ({ role: "user", content });
const batch = (count: number, more: (n: number) => object = () => ({})) => ({
  messages: Array.from({ length: count }, (_, n) => ({ ...says(`message ${n}`), ...more(n) })),
});

async function mixedHour(): Promise<void> {
  // Sessions: new, with an id, repeated, rejected, imported, and one whose first answer from the store is lost.
  for (let n = 0; n < 3; n++) expect((await create({})).status).toBe(201);
  await create({ id: "a" });
  expect((await create({ id: "a" })).status).toBe(409);
  expect((await create({ id: "no id" })).status).toBe(400);
  for (let n = 0; n < 3; n++) expect((await create({}, { key: "same" })).status).toBe(201);
  await create({ id: "old", created_at: "2025-03-01T10:00:00.000Z" }, { user: "importer" });
  faults.next({ operation: "TransactWriteItems", when: "after", name: "TimeoutError", attempts: 1 });
  expect((await create({ id: "b" })).status).toBe(201);
  faults.next({ operation: "TransactWriteItems", when: "before", name: "ThrottlingException", attempts: 4 });
  expect((await create({ id: "never" })).status).toBe(503);

  // Messages: single, repeated, in batches with repeats, imported, rejected, and a batch that fails half-way.
  await append("a", says("one"));
  for (let n = 0; n < 3; n++) expect((await append("a", says("two"), { key: "two" })).status).toBe(201);
  for (let n = 0; n < 2; n++)
    expect(
      (
        await append(
          "a",
          batch(4, (k) => ({ id: `m${k % 3}` })),
        )
      ).status,
    ).toBe(201);
  await append(
    "a",
    batch(3, (k) => ({ id: `m${k + 1}` })),
  );
  await append(
    "old",
    batch(30, (k) => ({ created_at: `2025-03-01T10:00:${k + 10}.000Z`, id: `old-${k}` })),
    { user: "importer" },
  );
  expect((await append("nowhere", says("lost"))).status).toBe(404);
  expect((await append("a", { role: "nobody", content: "x" })).status).toBe(400);
  const sixty = batch(60, (k) => ({ id: `sixty-${k}` }));
  faults.next({ operation: "TransactWriteItems", when: "before", name: "ThrottlingException", attempts: 4, skip: 1 });
  expect((await append("b", sixty)).status).toBe(503);
  faults.next({ operation: "TransactWriteItems", when: "after", name: "TimeoutError", attempts: 1 });
  expect((await append("b", sixty)).status).toBe(201);

  // Turns: complete, streamed, repeated, and failing in several ways.
  expect((await chat("a", { content: "whole" })).status).toBe(200);
  expect((await chat("a", { content: "streamed", stream: true })).text).toContain("[DONE]");
  for (let n = 0; n < 3; n++) expect((await chat("a", { content: "repeated" }, { key: "turn" })).status).toBe(200);
  expect((await chat("%20", { content: "lost" })).status).toBe(404);
  expect((await chat("a", { content: "x", model: "nobody" })).status).toBe(400);
  expect((await chat("a", { content: "word ".repeat(9000) })).status).toBe(413);
  for (const status of [500, 429, 400]) {
    fake.next({ status });
    expect((await chat("a", { content: "not answered" })).status).toBe(status === 400 ? 400 : 503);
  }
  fake.next({ status: 500 });
  expect((await chat("a", { content: "taken up again" }, { key: "again" })).status).toBe(503);
  expect((await chat("a", { content: "taken up again" }, { key: "again" })).status).toBe(200);
  fake.next({ resetAfter: 2 });
  expect((await chat("a", { content: "broken off in the middle" })).status).toBe(200);
  fake.next({ resetAfter: 2 });
  expect((await chat("a", { content: "broken off in the middle", stream: true })).text).toContain("error");
  expect((await chat("a", { content: "one too many" }, { user: "ann/tiny" })).status).toBe(429);
  // The answer of each single write is lost once, and the SDK repeats the write.
  for (const [operation, calls] of Object.entries({
    TransactWriteItems: 1,
    PutItem: 1,
    BatchWriteItem: 1,
    UpdateItem: 3,
  })) {
    for (let skip = 0; skip < calls; skip++) {
      faults.next({ operation, when: "after", name: "TimeoutError", attempts: 1, skip });
      expect((await chat("a", { content: `the answer of ${operation} is lost` })).status).toBe(200);
      expect(faults.pending(), `${operation} ${skip}`).toBe(0);
    }
  }

  // Completions: in new sessions, with history, with a session id, repeated, and failing.
  const history = [says("I am Ann."), { role: "assistant", content: "Hello." }, says("Who am I?")];
  expect((await complete({ model: "model-a", messages: history })).status).toBe(200);
  const named = { model: "model-a", messages: [says("hello")], metadata: { session_id: "named" } };
  for (let n = 0; n < 2; n++) expect((await complete(named)).status).toBe(200);
  for (let n = 0; n < 2; n++) {
    expect((await complete({ model: "model-a", messages: history }, { key: "completion", user: "bob" })).status).toBe(
      200,
    );
  }
  fake.next({ status: 500 });
  expect((await complete({ model: "model-a", messages: history }, { key: "failed", user: "cat" })).status).toBe(503);
  expect((await complete({ model: "model-a", messages: history }, { key: "failed", user: "cat" })).status).toBe(200);
  fake.next({ status: 500 });
  expect((await complete({ model: "model-a", messages: [says("never answered")] })).status).toBe(503);

  // Resets and deletions, also during a turn, and ids that are used again.
  await append("a", batch(2));
  expect((await reset("a")).status).toBe(200);
  await append("a", batch(2));
  for (const [name, change] of Object.entries({ reset, remove })) {
    const changed = Promise.withResolvers<void>();
    fake.next({ until: changed.promise });
    const turn = chat("a", { content: `asked before the ${name}`, stream: true });
    await expect.poll(() => fake.requests.at(-1)?.messages.at(-1)?.content).toBe(`asked before the ${name}`);
    await look();
    await change("a");
    changed.resolve();
    await turn;
  }
  expect((await create({ id: "a" })).status).toBe(201);
  await append("a", batch(5));
  await remove("named");

  // An append and a request restore archived sessions. Restored messages are not new.
  await create({ id: "cold", ttl_seconds: 60 });
  await append("cold", batch(7));
  for (const bring of [() => append("cold", says("again")), () => send("/v1/sessions/cold/restore", undefined)]) {
    world.advance(10 * 60_000);
    const swept = await world.sweep("ann", "cold");
    await world.archiveJob({ Records: [swept!] });
    expect((await bring()).status).toBeLessThan(300);
  }
}

const read = async <T>(path: string): Promise<T> => {
  const response = await fetch(api.url + path, { headers: { authorization: "Bearer ops//admin" } });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
};

/** The sum of GET /v1/metrics over all routes. */
async function sumOf(name: string, granularity: string): Promise<{ sum: number; count: number; errors: number }> {
  const path = `/v1/metrics?name=${name}&granularity=${granularity}&from=2026-11-01T00:00:00.000Z`;
  const { data: rows } = await read<{ data: MetricRow[] }>(path);
  const total = (of: "sum" | "count" | "errors") => rows.reduce((sum, row) => sum + row[of], 0);
  return { sum: total("sum"), count: total("count"), errors: total("errors") };
}

it("metrics and the report count what is stored after an hour of mixed and failing requests", {
  timeout: 120_000,
}, async () => {
  await mixedHour();
  expect(data.sessions.size).toBeGreaterThan(10);
  expect(data.messages.size).toBeGreaterThan(100);

  const check = async () => {
    for (const granularity of ["hour", "day", "month"]) {
      expect((await sumOf("api.request.sessions", granularity)).sum, granularity).toBe(data.sessions.size);
      expect((await sumOf("api.request.messages", granularity)).sum, granularity).toBe(data.messages.size);
      expect((await sumOf("api.request", granularity)).count, granularity).toBe(told.requests);
    }
    const { figures, days } = await read<Report>("/v1/reports/2026-11");
    expect(figures).toMatchObject({
      sessions: data.sessions.size,
      messages: data.messages.size,
      requests: told.requests,
      error_rate: told.failed / told.requests,
      active_users: data.users.size,
    });
    expect(days).toMatchObject([{ day: "2026-11-21", requests: told.requests, errors: told.failed }]);
  };
  world.advance(1000);
  await check();
  world.advance(60 * 60_000);
  const metrics = createTable(engines.dynamodb, engines.metricsTable);
  const { clock } = world.stores;
  const job = createFoldJob({ store: createMetricStore(metrics), clock }, "hour");
  await job({}, { getRemainingTimeInMillis: () => 900_000 });
  await check();
});

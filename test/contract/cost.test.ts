import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import { meter, type Usage } from "../bench/support/meter.ts";
import { createChatWorld, createInstance } from "../support/chat-world.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { type Api, startApi } from "../support/start-api.ts";
import { startChatServer } from "../support/start-chat-server.ts";

let api: Api;
let measure: (work: () => Promise<unknown>) => Promise<Usage>;
beforeAll(async () => {
  api = await startApi();
  ({ measure } = meter(api.engines.dynamodb));
  await api.post("/v1/sessions", { id: "long", ttl_seconds: 1_000_000 });
  for (let n = 0; n < 10; n++) await append("long", 99);
  await api.post("/v1/sessions", { id: "short", ttl_seconds: 1_000_000 });
  for (let n = 0; n < 120; n++) await api.post("/v1/sessions", {}, { user: "many" });
  await api.post("/v1/sessions", {}, { user: "few" });
});
afterAll(() => api.close());

const KILOBYTE = "x".repeat(1024);
function append(id: string, count: number, more: object = {}, headers = {}) {
  const messages = Array.from({ length: count }, () => ({ role: "user", content: KILOBYTE, ...more }));
  api.world.advance(1);
  return api.post(`/v1/sessions/${id}/messages`, count === 1 ? messages[0] : { messages }, { headers });
}
const shape = ({ operations, wru, rru }: Usage) => ({ operations, wru, rru });

describe("the consumed capacity of a request", () => {
  it("appending a message of 1 KB takes two parallel reads and at most 8 WRU, for any length of the session", async () => {
    const [short, long] = [await measure(() => append("short", 1)), await measure(() => append("long", 1))];
    expect(shape(long)).toEqual(shape(short));
    expect(long.operations).toEqual({ GetItem: 2, TransactWriteItems: 1 });
    expect(long.wru).toBeLessThanOrEqual(8);
    // Half a unit is the person's record.
    expect(long.rru).toBeLessThanOrEqual(1.5);
  });

  it("appending a message with a client's id also writes the item that keeps the id unique", async () => {
    const own = await measure(() => append("long", 1, { id: "own" }));
    expect(own.operations).toEqual({ GetItem: 2, TransactWriteItems: 1 });
    expect(own.wru).toBeLessThanOrEqual(10);
  });

  it("an Idempotency-Key adds two writes of its record", async () => {
    const keyed = await measure(() => append("long", 1, {}, { "idempotency-key": "k" }));
    expect(keyed.operations).toEqual({ PutItem: 1, GetItem: 2, TransactWriteItems: 1, UpdateItem: 1 });
    expect(keyed.wru).toBeLessThanOrEqual(11);
  });

  it("reading the newest 30 messages with the header takes one Query", async () => {
    const newest = await measure(() => api.get("/v1/sessions/long/messages?order=desc&limit=30"));
    expect(newest.operations).toEqual({ Query: 1 });
    expect(newest.rru).toBeLessThanOrEqual(10);
  });

  it("reading a page in the middle takes one read of the header and one Query", async () => {
    const { next_cursor } = (await api.get("/v1/sessions/long/messages?limit=100")).body;
    const next = await measure(() => api.get(`/v1/sessions/long/messages?limit=20&cursor=${next_cursor}`));
    expect(next.operations).toEqual({ GetItem: 1, Query: 1 });
    expect(next.rru).toBeLessThanOrEqual(8);
  });

  it("listing 20 sessions takes one Query, whatever the number of sessions", async () => {
    const many = await measure(() => api.get("/v1/sessions", { user: "many" }));
    expect(many.operations).toEqual({ Query: 1 });
    expect(many.rru).toBeLessThanOrEqual(2);
    expect((await measure(() => api.get("/v1/sessions?limit=1", { user: "few" }))).operations).toEqual({ Query: 1 });
  });

  it.each([
    ["reading a session", () => api.get("/v1/sessions/long"), { GetItem: 1 }, 0, 1],
    ["reading one that does not exist", () => api.get("/v1/sessions/none"), { GetItem: 2 }, 0, 2],
    ["creating a session", () => api.post("/v1/sessions", {}), { GetItem: 1, TransactWriteItems: 1 }, 16, 0.5],
    [
      "patching a session",
      () => api.patch("/v1/sessions/long", { title: "x" }),
      { GetItem: 2, TransactWriteItems: 1 },
      12,
      1.5,
    ],
    ["refusing what is not valid", () => api.post("/v1/sessions", { id: "no id" }), {}, 0, 0],
    ["the document", () => api.get("/openapi.json", { user: null }), {}, 0, 0],
    ["health", () => api.get("/health", { user: null }), { Query: 1, PutItem: 1 }, 1, 1],
    ["health again, within 5 s", () => api.get("/health", { user: null }), { Query: 1 }, 0, 1],
  ] as const)("%s", async (_what, work, operations, wru, rru) => {
    const usage = await measure(work);
    expect(usage.operations).toEqual(operations);
    expect(usage.wru).toBeLessThanOrEqual(wru);
    expect(usage.rru).toBeLessThanOrEqual(rru);
  });

  it("a chat turn takes at most 15 WRU and 10 RRU when its window is full of messages of 1 KB", async () => {
    const { engines, world } = api;
    const fake = await startFakeOpenAI();
    fake.always({ text: KILOBYTE });
    const { deps } = createChatWorld(world, fake.url, { maxContextTokens: 20_000 });
    const recorder = createRecorder(createTable(engines.dynamodb, engines.metricsTable), world.stores.clock);
    // The request's metric is written after its answer.
    let recorded = Promise.withResolvers<void>();
    const server = await startChatServer(world, {
      ...deps,
      specOf: () => ({ context: 32_000, input: 1, output: 2 }),
      recorder: { ...recorder, record: (metric) => recorder.record(metric).then(recorded.resolve) },
      // It looks at the circuit of its provider once, and not every 5 s.
      model: createInstance(world.table, { url: fake.url, clock: () => 0 }),
    });
    const say = async () => {
      recorded = Promise.withResolvers();
      world.advance(1000);
      const response = await fetch(`${server.url}/v1/sessions/chat/chat`, {
        method: "POST",
        headers: { authorization: "Bearer user", "content-type": "application/json" },
        body: JSON.stringify({ content: KILOBYTE, memory: false }),
      });
      expect(response.status, await response.text()).toBe(200);
      await recorded.promise;
    };
    try {
      for (let n = 0; n < 16; n++) await say();
      const turn = await measure(say);
      // The user's choices, the window, the question, the budget and its settlement, the answer, the header, and two metrics in one call.
      expect(turn.operations).toEqual({
        GetItem: 1,
        Query: 1,
        TransactWriteItems: 1,
        UpdateItem: 3,
        PutItem: 1,
        BatchWriteItem: 1,
      });
      expect(turn.wru).toBeLessThanOrEqual(15);
      expect(turn.rru).toBeLessThanOrEqual(10);
    } finally {
      await Promise.all([server.close(), fake.close()]);
    }
  });
});

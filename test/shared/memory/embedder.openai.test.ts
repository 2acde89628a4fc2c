import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createRememberJob } from "../../../functions/jobs/remember.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { embeddingCostOf } from "../../../shared/llm/models.ts";
import { createOpenAIEmbedder } from "../../../shared/memory/embedder.openai.ts";
import { meteredEmbedding, meteredSearches } from "../../../shared/memory/metered.ts";
import { createRecall } from "../../../shared/memory/recall.ts";
import { noStatistics } from "../../../shared/memory/statistics.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld } from "../../support/memory-world.ts";

interface Asked {
  input: string[];
  model: string;
  dimensions: number;
  authorization: string | undefined;
}

type Answer = { status: number; headers?: Record<string, string>; body: unknown } | undefined;

/** An embeddings endpoint whose "model" knows that cats and felines are the same. */
const TOPICS = [/cat|feline/i, /boat|ship/i, /bread|bakery/i];

let server: Server;
let baseURL: string;
let asked: Asked[] = [];
let misbehave: (n: number, request: Asked) => Answer = () => undefined;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
    const entry = { ...body, authorization: request.headers.authorization } as Asked;
    const answer = misbehave(asked.length, entry) ?? { status: 200, body: embeddings(entry) };
    asked.push(entry);
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(JSON.stringify(answer.body));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterEach(() => {
  asked = [];
  misbehave = () => undefined;
});
afterAll(() => void server.close());

const vectorOf = (text: string, dimensions: number): number[] =>
  Array.from({ length: dimensions }, (_, n) => (TOPICS[n]?.test(text) ? 1 : 0.001 / (n + 1)));

// In reverse, because the `index` of an item gives the order.
const embeddings = ({ input, dimensions }: Asked) => ({
  object: "list",
  data: input.map((text, index) => ({ index, embedding: vectorOf(text, dimensions) })).reverse(),
  usage: { prompt_tokens: 10 * input.length, total_tokens: 10 * input.length },
});

const embedder = (dimensions = 512) =>
  createOpenAIEmbedder({ apiKey: async () => "key-1", baseURL }, { model: "some-model", dimensions });

const passage = (text: string) => ({ text, counts: new Map<string, number>() });

describe("an embedder for the OpenAI API", () => {
  it("sends batches, and returns one vector per text in order", async () => {
    const texts = Array.from({ length: 150 }, (_, n) => `text ${n}${n === 70 ? " about a boat" : ""}`);
    const vectors = await embedder().embed(texts.map(passage));
    expect(asked.map(({ input }) => input.length)).toEqual([64, 64, 22]);
    expect(asked[0]).toMatchObject({ model: "some-model", dimensions: 512, authorization: "Bearer key-1" });
    expect(vectors).toHaveLength(150);
    expect(vectors.findIndex((vector) => vector[1] === 1)).toBe(70);
  });

  it("repeats a throttled request after the time that Retry-After gives", async () => {
    misbehave = (n) => (n === 0 ? { status: 429, headers: { "retry-after-ms": "50" }, body: {} } : undefined);
    const began = performance.now();
    expect(await embedder().embedQuery("a boat", noStatistics())).toHaveLength(512);
    expect(performance.now() - began).toBeGreaterThan(45);
    expect(asked).toHaveLength(2);
  });

  it("throws unavailable when all retries are throttled", async () => {
    misbehave = () => ({ status: 429, headers: { "retry-after-ms": "1" }, body: {} });
    await expect(embedder().embedQuery("a boat", noStatistics())).rejects.toMatchObject({ code: "unavailable" });
    expect(asked).toHaveLength(5);
  });

  it("rejects vectors of other dimensions than the index has, and fewer vectors than texts", async () => {
    misbehave = (_, request) => ({ status: 200, body: embeddings({ ...request, dimensions: 1536 }) });
    await expect(embedder().embed([passage("a")])).rejects.toMatchObject({
      code: "internal",
      message: "the embedding model some-model returns 1536 dimensions, but the index has 512",
    });
    misbehave = (_, request) => ({ status: 200, body: embeddings({ ...request, input: ["one"] }) });
    await expect(embedder().embed([passage("a"), passage("b")])).rejects.toMatchObject({ code: "internal" });
  });

  it.each([["a string"], [null]])("rejects vectors that contain %j", async (value) => {
    const embedding = Array(512).fill(value);
    misbehave = () => ({ status: 200, body: { data: [{ index: 0, embedding }] } });
    await expect(embedder().embed([passage("a")])).rejects.toMatchObject({
      code: "internal",
      message: "the embedding model some-model returns vectors with values that are not numbers",
    });
  });

  it.each([["ten"], [-1], [1.5], [1e30], [null]])(
    "records no tokens when the server counts %j tokens",
    async (count) => {
      misbehave = (_, request) => ({ status: 200, body: { ...embeddings(request), usage: { prompt_tokens: count } } });
      const calls: object[] = [];
      const space = { model: "some-model", dimensions: 512 };
      await createOpenAIEmbedder(
        { apiKey: async () => "key", baseURL, onCall: (call) => calls.push(call) },
        space,
      ).embed([passage("a")]);
      expect(calls).toEqual([{ model: "some-model", duration: expect.any(Number) }]);
    },
  );

  it("does not repeat a request that the server refuses", async () => {
    misbehave = () => ({ status: 401, body: { error: { message: "bad key" } } });
    await expect(embedder().embedQuery("a boat", noStatistics())).rejects.toMatchObject({ code: "internal" });
    expect(asked).toHaveLength(1);
  });
});

describe("memory with an embedding model", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(() => engines.close());

  it("finds memories that share no word with the query, once the model answers", async () => {
    const world = createMemoryWorld(engines, {
      embedderOf: ({ dimensions }) => embedder(dimensions),
      layout: { slot: "a", space: { model: "some-model", dimensions: 512 } },
    });
    await world.say(
      "ann",
      "s1",
      "Our old cat sleeps in the hall.",
      "The ship leaves at noon.",
      "The bakery burnt down.",
    );
    misbehave = (_, request) => ({ status: 200, body: embeddings({ ...request, dimensions: 3 }) });
    await expect(world.deliver("ann", "s1")).rejects.toThrow("a record failed");
    expect(await world.stored("ann", "s1")).toEqual([]);

    misbehave = () => undefined;
    await world.deliver("ann", "s1");
    expect((await world.find("ann", "feline pets"))[0]).toBe("Our old cat sleeps in the hall.");
    expect(await world.memories.layout()).toEqual({
      slot: "a",
      space: { model: "some-model", dimensions: 512 },
    });
  });

  it("records a metric per call to the model and per search, all in one write per run", async () => {
    const table = createTable(engines.dynamodb, engines.metricsTable);
    const writes: number[] = [];
    const recorder = createRecorder(
      {
        put: async (input) => {
          writes.push(1);
          return await table.put(input);
        },
        batchWrite: async (puts, deletes) => {
          writes.push(puts.length);
          await table.batchWrite(puts, deletes);
        },
      },
      Date.now,
    );
    const onCall = meteredEmbedding(recorder, (model, tokens) =>
      embeddingCostOf(model, tokens, { "some-model": { input: 0.5 } }),
    );
    const space = { model: "some-model", dimensions: 512 };
    const world = createMemoryWorld(engines, {
      embedderOf: () => createOpenAIEmbedder({ apiKey: async () => "key-1", baseURL, onCall }, space),
      layout: { slot: "a", space },
    });
    const deps = { ...world.deps, memories: meteredSearches(world.deps.memories, recorder) };
    const job = createRememberJob(deps, recorder);
    for (const user of ["bob", "cleo"])
      await world.say(user, user, "The ship leaves at noon.", "The bakery burnt down.");
    await job({ Records: [...(await world.records("bob", "bob")), ...(await world.records("cleo", "cleo"))] });
    expect(writes).toEqual([2]);
    await job({ Records: await world.records("bob", "bob") });
    expect(writes).toEqual([2]);

    const range = { from: "2026-09-05T00:00:00.000Z", to: "2026-11-05T00:00:00.000Z" };
    await createRecall(deps)("bob", { text: "boats", limit: 5, ...range });
    misbehave = () => ({ status: 401, body: { error: { message: "bad key" } } });
    await expect(createRecall(deps)("bob", { text: "boats", limit: 5 })).rejects.toThrow();
    await recorder.record({ kind: "api.request", dimensions: {}, measures: { duration_ms: 1 } });
    // One call and three searches of the recall, the refused call, and the request.
    expect(writes).toEqual([2, 6]);

    const now = new Date();
    const rows = await queryMetrics(
      { store: createMetricStore(table), clock: Date.now },
      { granularity: "day", from: `${now.toISOString().slice(0, 10)}T00:00:00.000Z`, to: now.toISOString() },
    );
    const row = (series: string) => rows.find(({ name }) => name === series);
    expect(row("embedding.call")).toMatchObject({ dimensions: { model: "some-model" }, count: 4, errors: 1 });
    expect(row("embedding.call.input_tokens")!.sum).toBe(50);
    expect(row("embedding.call.cost_usd")!.sum).toBeCloseTo(50 * 0.5e-6, 12);
    expect(row("search.call")).toMatchObject({ dimensions: {}, count: 3, errors: 0 });
    expect(row("search.call.results")).toMatchObject({ count: 3 });
  });
});

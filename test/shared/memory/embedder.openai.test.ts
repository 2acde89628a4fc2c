import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createOpenAIEmbedder } from "../../../shared/memory/embedder.openai.ts";
import { noStatistics } from "../../../shared/memory/statistics.ts";
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

// The last one first: an answer's order is in its indexes.
const embeddings = ({ input, dimensions }: Asked) => ({
  object: "list",
  data: input.map((text, index) => ({ index, embedding: vectorOf(text, dimensions) })).reverse(),
});

const embedder = (dimensions = 512) =>
  createOpenAIEmbedder({ apiKey: async () => "key-1", baseURL }, { model: "some-model", dimensions });

const passage = (text: string) => ({ text, counts: new Map<string, number>() });

describe("a model behind the OpenAI API", () => {
  it("is asked in batches, and gives a vector for each text in order", async () => {
    const texts = Array.from({ length: 150 }, (_, n) => `text ${n}${n === 70 ? " about a boat" : ""}`);
    const vectors = await embedder().embed(texts.map(passage));
    expect(asked.map(({ input }) => input.length)).toEqual([64, 64, 22]);
    expect(asked[0]).toMatchObject({ model: "some-model", dimensions: 512, authorization: "Bearer key-1" });
    expect(vectors).toHaveLength(150);
    expect(vectors.findIndex((vector) => vector[1] === 1)).toBe(70);
  });

  it("is asked again when it is busy, as late as it says", async () => {
    misbehave = (n) => (n === 0 ? { status: 429, headers: { "retry-after-ms": "50" }, body: {} } : undefined);
    const began = performance.now();
    expect(await embedder().embedQuery("a boat", noStatistics())).toHaveLength(512);
    expect(performance.now() - began).toBeGreaterThan(45);
    expect(asked).toHaveLength(2);
  });

  it("is unavailable when it stays busy", async () => {
    misbehave = () => ({ status: 429, headers: { "retry-after-ms": "1" }, body: {} });
    await expect(embedder().embedQuery("a boat", noStatistics())).rejects.toMatchObject({ code: "unavailable" });
    expect(asked).toHaveLength(5);
  });

  it("is of no use with other dimensions than the index has, or with fewer vectors than texts", async () => {
    misbehave = (_, request) => ({ status: 200, body: embeddings({ ...request, dimensions: 1536 }) });
    await expect(embedder().embed([passage("a")])).rejects.toMatchObject({
      code: "internal",
      message: "some-model gives 1536 dimensions, and the index has 512",
    });
    misbehave = (_, request) => ({ status: 200, body: embeddings({ ...request, input: ["one"] }) });
    await expect(embedder().embed([passage("a"), passage("b")])).rejects.toMatchObject({ code: "internal" });
  });

  it("is not asked again for what it refuses", async () => {
    misbehave = () => ({ status: 401, body: { error: { message: "bad key" } } });
    await expect(embedder().embedQuery("a boat", noStatistics())).rejects.toMatchObject({ code: "internal" });
    expect(asked).toHaveLength(1);
  });
});

describe("memory with such a model", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(() => engines.close());

  it("finds what no word of the query names, once the model answers", async () => {
    const world = createMemoryWorld(engines, {
      embedderOf: ({ dimensions }) => embedder(dimensions),
      space: { model: "some-model", dimensions: 512 },
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
    expect(await world.stores.memories.layout()).toEqual({
      slot: "a",
      space: { model: "some-model", dimensions: 512 },
    });
  });
});

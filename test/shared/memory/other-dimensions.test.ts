/** Tests re-embedding with other dimensions. Each number of dimensions has its own attribute and vector index. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureTable } from "../../../infra/local/dynamodb/ensure-table.ts";
import { MEMORY_PREFIX, sessionKey } from "../../../shared/dynamodb/keys.ts";
import { conversations, memoryVectorIndexes, type VectorPlace } from "../../../shared/dynamodb/tables.ts";
import { LEXICAL_MODEL } from "../../../shared/memory/embedder.lexical.ts";
import type { Layout } from "../../../shared/memory/memory-store.ts";
import { type ReembedOptions, type ReembedResult, reembed } from "../../../shared/memory/reembed.ts";
import { type Engines, startEngines, tablePropertiesOf } from "../../support/engines.ts";
import { createMemoryDynamoDB } from "../../support/memory-dynamodb/client.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

const USER = "ann";

const PLACES: VectorPlace[] = [
  { slot: "a", dimensions: 512 },
  { slot: "b", dimensions: 512 },
  { slot: "b", dimensions: 1024 },
  { slot: "a", dimensions: 768 },
  { slot: "b", dimensions: 768 },
];

/** A table with all indexes from the start: the embedded engine takes half a minute to fill an index that is added later. */
const spec = { ...conversations, vectorIndexes: memoryVectorIndexes(PLACES) };
const tableName = "other-dimensions";

const layout: Layout = { slot: "a", space: { model: LEXICAL_MODEL, dimensions: 512 } };

let embedded: Engines;
beforeAll(async () => {
  embedded = await startEngines();
  const { endpoints, credentials } = embedded;
  const client = new DynamoDBClient({ endpoint: endpoints.dynamodb, region: "us-east-1", credentials });
  await ensureTable(client, tablePropertiesOf(tableName, spec), () => undefined);
  client.destroy();
});
afterAll(() => embedded.close());

function inMemory(): Engines {
  const { client } = createMemoryDynamoDB({ [tableName]: spec });
  return { dynamodb: client, s3: {}, setClock: () => undefined, tableName } as unknown as Engines;
}

const subjects: Record<string, () => Engines> = {
  "the embedded engine": () => ({ ...embedded, tableName }),
  "the engine in memory": inMemory,
};

/** The distinct combinations of names and lengths of vectors of a session's memories. */
async function vectorsOf({ dynamodb, tableName: TableName }: Engines, session: string): Promise<string[]> {
  const { Items = [] } = await dynamodb.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: "pk = :pk AND begins_with(sk, :prefix)",
      ExpressionAttributeValues: { ":pk": sessionKey(USER, session), ":prefix": MEMORY_PREFIX },
      ConsistentRead: true,
    }),
  );
  const each = Items.map((item) =>
    Object.keys(item)
      .filter((name) => name.startsWith("vector"))
      .sort()
      .map((name) => `${name} ${item[name].length}`)
      .join(", "),
  );
  return [...new Set(each)].sort();
}

function open(world: MemoryWorld, a: number, b: number) {
  const spaceOf = (dimensions: number) => ({ model: LEXICAL_MODEL, dimensions });
  const deps = { ...world.deps, stores: world.stores, wanted: { a: spaceOf(a), b: spaceOf(b) } };
  return {
    run: (options?: ReembedOptions) => reembed(deps, Number.POSITIVE_INFINITY, options),
    /** Stops immediately, as at a deadline. */
    begin: (options?: ReembedOptions) => reembed(deps, -1, options),
    /** Repeats runs until all is done. Calls `meanwhile` before each run but the first. */
    async finish(meanwhile: () => Promise<void> = async () => undefined): Promise<ReembedResult> {
      for (;;) {
        await meanwhile();
        const result = await reembed(deps, Number.POSITIVE_INFINITY);
        if (result.state === "done" || result.state === "current") return result;
        if (result.state === "clearing") world.advance(5000);
      }
    },
  };
}

describe.each(Object.keys(subjects))("on %s", (name) => {
  it("vectors change from 512 dimensions in slot a to 1024 in b and to 768 in a, and searches find everything meanwhile", async () => {
    const engines = subjects[name]!();
    const world = createMemoryWorld(engines, { layout });
    const session = "moving";
    const said = ["The violin hangs in the hall", "A second violin is in the attic"];
    const finds = async () => expect((await world.find(USER, "violin")).toSorted()).toEqual(said.toSorted());
    await world.say(USER, session, ...said);
    await world.deliver(USER, session);
    expect(await vectorsOf(engines, session)).toEqual(["vector_a 512"]);

    const second = open(world, 512, 1024);
    expect((await second.run()).state).toBe("current");
    expect(await second.begin({ dimensions: 1024 })).toMatchObject({ state: "building", slot: "b" });
    said.push("The third violin came while vectors were being made");
    await world.say(USER, session, said[2]!);
    await world.deliver(USER, session);
    expect(await vectorsOf(engines, session)).toEqual(["vector_a 512", "vector_a 512, vector_b_1024 1024"]);
    expect(await second.finish(finds)).toMatchObject({ state: "done", slot: "b", space: { dimensions: 1024 } });
    await finds();
    expect(await vectorsOf(engines, session)).toEqual(["vector_b_1024 1024"]);
    expect((await second.run({ dimensions: 1024 })).state).toBe("current");

    await finds();
    const third = open(world, 768, 1024);
    expect((await third.run({ dimensions: 768 })).state).toBe("building");
    expect(await third.finish(finds)).toMatchObject({ state: "done", slot: "a", space: { dimensions: 768 } });
    await finds();
    expect(await vectorsOf(engines, session)).toEqual(["vector_a_768 768"]);
  });
});

describe("in memory", () => {
  it("a vector of other dimensions in the slot is replaced", async () => {
    const engines = inMemory();
    const world = createMemoryWorld(engines, { layout });
    await world.say(USER, "s1", "The violin hangs in the hall");
    await world.deliver(USER, "s1");
    // A slow function has written the vector after the slot was cleared.
    for await (const { records } of world.memories.ofSession({ user: USER, id: "s1" })) {
      for (const record of records) await world.memories.changeVectors(record, { set: { b: Array(512).fill(0.1) } });
    }
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_a 512, vector_b 512"]);
    const { run, finish } = open(world, 512, 1024);
    await run({ dimensions: 1024 });
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_a 512, vector_b_1024 1024"]);
    await finish();
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_b_1024 1024"]);
    expect(await world.find(USER, "violin")).toEqual(["The violin hangs in the hall"]);
  });

  it("a build begins again when a deployment has replaced its index", async () => {
    const engines = inMemory();
    const world = createMemoryWorld(engines, { layout });
    await world.say(USER, "s1", "The violin hangs in the hall");
    await world.deliver(USER, "s1");
    const old = open(world, 512, 1024);
    await old.run({ dimensions: 1024 });
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_a 512, vector_b_1024 1024"]);
    expect(await open(world, 512, 768).finish()).toMatchObject({
      state: "done",
      slot: "b",
      space: { dimensions: 768 },
    });
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_b_768 768"]);
    expect(await world.find(USER, "violin")).toEqual(["The violin hangs in the hall"]);
  });

  it("clearing removes the vectors of all places except the one in use", async () => {
    const engines = inMemory();
    const world = createMemoryWorld(engines, { layout });
    await world.say(USER, "s1", "The violin hangs in the hall");
    await world.deliver(USER, "s1");
    const { run, finish } = open(world, 512, 1024);
    while ((await run({ dimensions: 1024 })).state !== "clearing");
    for await (const { records } of world.memories.ofSession({ user: USER, id: "s1" })) {
      for (const record of records) await world.memories.changeVectors(record, { set: { b: Array(768).fill(0.1) } });
    }
    world.advance(20_000);
    await finish();
    expect(await vectorsOf(engines, "s1")).toEqual(["vector_b_1024 1024"]);
  });

  it("dimensions for which the unused slot has no index are rejected", async () => {
    const engines = inMemory();
    const { run } = open(createMemoryWorld(engines, { layout }), 512, 1024);
    await expect(run({ dimensions: 768 })).rejects.toThrow(
      "the unused slot b has an index of 1024 dimensions: deploy one of 768 dimensions first",
    );
    expect((await run()).state).toBe("current");
  });
});

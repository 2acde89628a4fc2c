import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSigned } from "../../../shared/privacy/receipt.ts";
import { runErasures } from "../../../shared/privacy/run-erasures.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
let world: MemoryWorld;
let erasing: ReturnType<typeof createErasureWorld>;
beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
  erasing = createErasureWorld(engines, world);
});
afterAll(() => engines.close());

describe("an erasure", () => {
  it("erases sessions, messages and memories, and ends with a signed receipt", async () => {
    await world.say("ann", "s", "My cat is called Momo.", "My dog is called Rex.");
    await world.deliver("ann", "s");
    await world.say("bob", "s", "My bird is called Polly.");
    const receipt = await erasing.erase("ann");
    expect(receipt.status).toBe("complete");
    expect(
      receipt.stores.filter(({ found }) => found > 0).map(({ name, found, erased }) => [name, found, erased]),
    ).toEqual([
      ["sessions", 1, 1],
      ["traces of deleted sessions", 1, 1],
      ["messages", 2, 2],
      ["memories", 2, 2],
      ["statistics of memories", 1, 1],
    ]);
    expect(isSigned(receipt)).toBe(true);
    expect(await world.hot("bob", "s")).toEqual(["My bird is called Polly."]);
    expect(await world.stores.sessions.countActive()).toBe(1);
  });

  it("erases many sessions with memories, in every state", async () => {
    const ids = Array.from({ length: 40 }, (_, n) => `s${n}`);
    for (const id of ids) await world.say("cid", id, `My number is ${id}.`);
    await world.deliver("cid", ...ids);
    await world.create("cid", "archived", 60, 3);
    await world.create("cid", "limbo", 60, 3);
    world.advance(61_000);
    await world.archiveJob({ Records: [(await world.sweep("cid", "archived"))!] });
    await world.sweep("cid", "limbo");
    const receipt = await erasing.erase("cid");
    const counts = Object.fromEntries(receipt.stores.map(({ name, found, erased }) => [name, [found, erased]]));
    expect(counts).toMatchObject({ sessions: [42, 42], memories: [40, 40], "archived sessions": [1, 1] });
    expect(receipt.stores.filter(({ remaining }) => remaining > 0)).toEqual([]);
  });

  it("does not erase new data when another worker completes it after this one has listed it", async () => {
    await world.say("dan", "s", "My cat is called Momo.");
    const { id } = await erasing.request("dan");
    await erasing.run();
    world.advance(GRACE);
    const { erasures } = erasing.deps;
    const late = {
      ...erasures,
      async open() {
        const listed = await erasures.open();
        await erasing.run();
        await world.say("dan", "s", "Hello again.");
        return listed;
      },
    };
    expect(await runErasures({ ...erasing.deps, erasures: late }, Number.POSITIVE_INFINITY, fail)).toBe(0);
    expect((await erasing.receipt(id)).status).toBe("complete");
    expect(await world.hot("dan", "s")).toEqual(["Hello again."]);
    world.advance(2 * 3_600_000);
    await erasing.run();
    expect(await erasures.open()).toEqual([]);
  });

  it("stays complete when stream records from before it are delivered again", async () => {
    await world.say("eve", "s", "My number is 7.");
    await world.create("eve", "expired", 60, 2);
    const records = [...(await world.records("eve", "s")), ...(await world.records("eve", "expired"))];
    await world.job({ Records: records });
    world.advance(61_000);
    const removal = (await world.sweep("eve", "expired"))!;
    await world.archiveJob({ Records: [removal] });
    await erasing.erase("eve");
    const left = async () => {
      const keys: string[] = [];
      for await (const { Items = [] } of paginateScan({ client: engines.dynamodb }, { TableName: engines.tableName }))
        keys.push(...Items.map(({ pk, sk }) => `${pk} ${sk}`).filter((key) => key.startsWith("U#eve")));
      const { Contents = [] } = await engines.s3.send(new ListObjectsV2Command({ Bucket: engines.bucket }));
      return [...keys, ...Contents.map(({ Key = "" }) => Key).filter((key) => key.includes("/eve/"))];
    };
    expect(await left()).toEqual([]);
    for (let times = 0; times < 2; times++) {
      expect((await world.job({ Records: records })).batchItemFailures).toEqual([]);
      expect((await world.archiveJob({ Records: [removal] })).batchItemFailures).toEqual([]);
    }
    expect(await left()).toEqual([]);
  });
});

function fail(error: unknown): never {
  throw error;
}

import { afterAll, beforeAll, expect, it } from "vitest";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../../shared/memory/embedder.lexical.ts";
import type { Space } from "../../../shared/memory/embedder.ts";
import { forgetMemory } from "../../../shared/memory/forget.ts";
import { type ReembedResult, reembed } from "../../../shared/memory/reembed.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

const NEW: Space = { model: "new-model", dimensions: 512 };

it("reembed rebuilds every memory in the other index while searches work, wherever it is interrupted", async () => {
  const world = createMemoryWorld(engines, { embedderOf: ({ dimensions }) => createLexicalEmbedder(dimensions) });
  const deps = { ...world.deps, stores: world.stores, wanted: { a: NEW, b: { ...NEW, dimensions: 200 } } };
  for (const user of ["ann", "ben"]) {
    for (const id of ["s1", "s2"]) {
      await world.say(user, id, `The violin of ${user} in ${id}`, `A lantern in ${id}`);
      await world.deliver(user, id);
    }
  }
  // One session is archived, one memory was forgotten, and one was lost.
  world.advance(3_700_000);
  await world.archiveJob({ Records: [(await world.sweep("ann", "s1"))!] });
  const [lantern] = await world.recall("ben", { text: "lantern", limit: 1, session_id: "s2" });
  await forgetMemory(world.memories, "ben", lantern!.id);
  await world.say("ben", "s3", "Never delivered: a harbour at night");

  let result: ReembedResult | undefined;
  for (let n = 1; result?.state !== "done"; n += 3) {
    // Each run gets further before it is interrupted.
    const crashed = await world.crashing(n, n % 2 ? "before" : "after", async () => {
      result = await reembed(deps, Number.POSITIVE_INFINITY);
    });
    if (crashed) result = undefined;
    // Searches may use the old index for some more seconds, so it stays complete.
    else if (result?.state === "clearing") world.advance(5000);
    expect((await world.find("ann", "violin")).slice(0, 2).sort()).toEqual([
      "The violin of ann in s1",
      "The violin of ann in s2",
    ]);
  }

  expect(await world.memories.layout()).toEqual({ slot: "a", space: NEW });
  expect(await world.find("ben", "harbour night")).toContain("Never delivered: a harbour at night");
  expect(await world.stored("ben", "s2")).toEqual(["The violin of ben in s2"]);
  for (const user of ["ann", "ben"]) {
    for (const id of ["s1", "s2"]) {
      for await (const { records } of world.memories.ofSession({ user, id })) {
        for (const { places } of records) expect(places).toEqual([{ slot: "a", dimensions: 512 }]);
      }
    }
  }
  expect((await reembed(deps, Number.POSITIVE_INFINITY)).state).toBe("current");
});

it("reembed stops at its deadline, and the next call continues", async () => {
  const world = createMemoryWorld(engines);
  const wanted = (dimensions: number): Space => ({ model: LEXICAL_MODEL, dimensions });
  const deps = { ...world.deps, stores: world.stores, wanted: { a: wanted(512), b: wanted(200) } };
  const states: string[] = [];
  for (let state = ""; state !== "done" && states.length < 50; states.push(state)) {
    world.advance(state === "clearing" ? 1000 : 1);
    ({ state } = await reembed(deps, world.stores.clock() + (states.length < 2 ? -1 : 10)));
  }
  expect(states.slice(0, 2)).toEqual(["building", "building"]);
  expect(states.at(-1)).toBe("done");
  expect(await world.find("ann", "violin")).not.toEqual([]);
});

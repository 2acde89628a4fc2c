import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { followBranch } from "../../../shared/memory/follow-branch.ts";
import { reembed } from "../../../shared/memory/reembed.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
let world: MemoryWorld;
let names = 0;
let id = "";
const session = () => ({ user: "ann", id });

beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
});
beforeEach(async () => {
  id = `incognito-${names++}`;
  await create(true);
});
afterAll(() => engines.close());

const create = (incognito: boolean) =>
  createSession(
    world.stores,
    "ann",
    { id, ttl_seconds: 3600, incognito },
    { seed: `${id} ${names++}`, at: world.stores.clock() },
    3600,
  );

const say = (...messages: Parameters<MemoryWorld["say"]>[2][]) => world.say("ann", id, ...messages);

async function expectNothing(): Promise<void> {
  expect(await world.stored("ann", id)).toEqual([]);
  expect(await world.find("ann", "violin lantern")).toEqual([]);
}

it("a message of an incognito session is not remembered, however often its record comes", async () => {
  await say("The violin is under the stairs");
  await world.deliver("ann", id, id);
  await expectNothing();
});

it("no branch of an incognito session is remembered", async () => {
  await say("The violin is under the stairs");
  await say({ content: "The lantern is in the shed", parent_id: null });
  await world.deliver("ann", id);
  await followBranch(world.deps, { session: session(), since: "" });
  await expectNothing();
});

it("an incognito session is not remembered after a reset or a restore", async () => {
  await say("The violin is under the stairs");
  const late = await world.records("ann", id);
  await resetSession(world.stores, session(), { seed: `reset ${id}` });
  await say("The lantern is in the shed");
  await restoreSession(world.stores, session());
  await world.job({ Records: late });
  await world.deliver("ann", id);
  await expectNothing();
});

it("an incognito session is not remembered when all memories are built again", async () => {
  await say("The violin is under the stairs");
  const wanted = { model: "another", dimensions: 512 };
  let state = "";
  while (state !== "done") {
    const deps = { ...world.deps, stores: world.stores, wanted: { a: wanted, b: wanted } };
    ({ state } = await reembed(deps, Number.POSITIVE_INFINITY, { force: true }));
    world.advance(5000);
  }
  await expectNothing();
});

it("a late record of an incognito session is not remembered for an ordinary session with its id", async () => {
  await say("The violin is under the stairs");
  const late = await world.records("ann", id);
  await deleteSession(world.stores, session());
  await create(false);
  await say("The lantern is in the shed");
  await world.job({ Records: late });
  await world.deliver("ann", id);
  expect(await world.stored("ann", id)).toEqual(["The lantern is in the shed"]);
  await deleteSession(world.stores, session());
});

it("a late record of an ordinary session is not remembered for an incognito session with its id", async () => {
  await deleteSession(world.stores, session());
  await create(false);
  await say("The violin is under the stairs");
  const late = await world.records("ann", id);
  await deleteSession(world.stores, session());
  await create(true);
  await say("The lantern is in the shed");
  await world.job({ Records: late });
  await world.deliver("ann", id);
  await expectNothing();
});

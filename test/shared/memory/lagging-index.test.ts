/** Tests that deleted memories are not recalled, although the vector index lags behind the deletion. */
import { beforeEach, describe, expect, it } from "vitest";
import { createArchive } from "../../../shared/archive/archive.s3.ts";
import { conversations } from "../../../shared/dynamodb/tables.ts";
import { AppError } from "../../../shared/errors.ts";
import { followBranch } from "../../../shared/memory/follow-branch.ts";
import { createSessionMemories, forgetEverything, forgetMemory } from "../../../shared/memory/forget.ts";
import { createSearch } from "../../../shared/memory/recall.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession, purgeSession } from "../../../shared/session/delete-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import type { Stores } from "../../../shared/session/store.ts";
import type { Engines } from "../../support/engines.ts";
import { createMemoryDynamoDB } from "../../support/memory-dynamodb/client.ts";
import { createMemoryObjects } from "../../support/memory-objects.ts";
import { createMemoryWorld } from "../../support/memory-world.ts";

const USER = "ann";
const FACTS = ["The lantern is green.", "The lantern hangs in the barn.", "The lantern was a gift."];

let held: (() => void)[] | undefined;
let world: ReturnType<typeof createMemoryWorld>;
let stores: Stores;

beforeEach(() => {
  held = undefined;
  const { client } = createMemoryDynamoDB(
    { conversations },
    { lag: (_table, _view, _key, apply) => void (held ? held.push(apply) : apply()) },
  );
  const engines = { dynamodb: client, s3: {}, setClock: () => undefined, tableName: "conversations" };
  world = createMemoryWorld(engines as unknown as Engines);
  const { objects } = createMemoryObjects(async () => undefined);
  stores = { ...world.stores, archive: createArchive(async () => objects) };
});

/** Remembers the facts in a session. After that, the indexes are not updated. */
async function remembered(session: string): Promise<void> {
  await world.say(USER, session, ...FACTS);
  await world.deliver(USER, session);
  held = [];
}

const recalled = async () => (await world.recall(USER, { text: "lantern", limit: 20 })).map(({ content }) => content);

async function searched(): Promise<string[]> {
  const found = await createSearch(world.deps)(USER, { text: "lantern", limit: 20 });
  return found.map(({ content }) => content);
}

describe("while the index lags", () => {
  it("a forgotten memory is not recalled, but the others are", async () => {
    await remembered("s1");
    const [memory] = await world.recall(USER, { text: "lantern barn", limit: 1 });
    await forgetMemory(world.memories, USER, memory!.id);
    const left = FACTS.filter((fact) => fact !== memory!.content);
    expect((await recalled()).toSorted()).toEqual(left.toSorted());
    expect((await searched()).toSorted()).toEqual(left.toSorted());
  });

  it("no memory of a deleted session is recalled, even when its id is used again", async () => {
    await remembered("s1");
    await deleteSession(stores, { user: USER, id: "s1" });
    expect(await recalled()).toEqual([]);
    await world.say(USER, "s1", "A new lantern.");
    await world.deliver(USER, "s1");
    expect(await recalled()).toEqual([]);
    for (const apply of held ?? []) apply();
    expect(await recalled()).toEqual(["A new lantern."]);
  });

  it("a late purge of a deleted session keeps the memories of the next session with its id", async () => {
    await world.say(USER, "s1", ...FACTS);
    const tombstone = await stores.sessions.findAnchor({ user: USER, id: "s1" });
    await deleteSession(stores, { user: USER, id: "s1" });
    await world.say(USER, "s1", "A new lantern.", "A second lantern.");
    await world.deliver(USER, "s1");
    const [memory] = await world.recall(USER, { text: "second", limit: 1 });
    await forgetMemory(world.memories, USER, memory!.id);
    await purgeSession(stores, tombstone!);
    expect(await recalled()).toEqual(["A new lantern."]);
    // The name of the forgotten memory also exists, so its message does not become a memory again.
    await world.deliver(USER, "s1");
    expect(await recalled()).toEqual(["A new lantern."]);
    expect(await world.stored(USER, "s1")).toEqual(["A new lantern."]);
  });

  it("a user's first memory is not recalled when its session is deleted while it is remembered", async () => {
    await world.say(USER, "s1", ...FACTS);
    const { transit } = stores.sessions;
    let isRemembered = false;
    const beside: Stores = {
      ...stores,
      sessions: {
        ...stores.sessions,
        async transit(...change) {
          if (!isRemembered) {
            isRemembered = true;
            await world.deliver(USER, "s1");
            held = [];
          }
          return transit(...change);
        },
      },
    };
    await deleteSession(beside, { user: USER, id: "s1" });
    expect(isRemembered).toBe(true);
    // For a user without memories nothing is searched.
    await world.say(USER, "s2", "Another lantern.");
    await world.deliver(USER, "s2");
    expect(await recalled()).toEqual([]);
  });

  it("no memory of a user's deleted only session is recalled when another session begins", async () => {
    await remembered("s1");
    await deleteSession(stores, { user: USER, id: "s1" });
    expect((await world.memories.summary(USER)).statistics.memories).toBe(0);
    await world.say(USER, "s2", "Another lantern.");
    await world.deliver(USER, "s2");
    expect(await recalled()).toEqual([]);
  });

  it("no memory from before a reset is recalled", async () => {
    await remembered("s1");
    await resetSession(stores, { user: USER, id: "s1" }, { seed: "reset" });
    await world.say(USER, "s1", "A new lantern.");
    await world.deliver(USER, "s1");
    expect(await recalled()).toEqual([]);
  });

  it("no memory is recalled after the user has forgotten everything", async () => {
    await remembered("s1");
    world.advance(1);
    await forgetEverything({ memories: world.memories, clock: stores.clock }, USER, Number.POSITIVE_INFINITY);
    await world.say(USER, "s1", "A new lantern.");
    await world.deliver(USER, "s1");
    expect(await recalled()).toEqual([]);
  });
});

describe("a message that is sent again with the same identity", () => {
  const request = { seed: "the same request", at: Date.parse("2026-11-21T12:00:00.000Z") };
  const send = () =>
    appendMessages(stores, { user: USER, id: "s1" }, [{ role: "user", content: "The lantern is green." }], request);
  /** Stores whose purge does not begin: deleted memories are hidden, but their items still exist. */
  const slow = (): Stores => ({
    ...stores,
    memories: {
      ...stores.memories,
      forget: () => Promise.reject(new AppError("unavailable", "the function was stopped")),
    },
  });

  it.each([
    ["a reset", () => resetSession(slow(), { user: USER, id: "s1" }, { seed: "reset" })],
    ["a deletion", () => deleteSession(slow(), { user: USER, id: "s1" })],
  ])("after %s is remembered, although the earlier memory is not deleted yet", async (_what, empty) => {
    await world.say(USER, "s1", "Hello lantern keeper.");
    await send();
    await world.deliver(USER, "s1");
    await empty().catch(() => undefined);
    await world.say(USER, "s1", "A word in between.");
    await send();
    await world.deliver(USER, "s1");
    const found = await world.find(USER, "green lantern");
    expect(found.toSorted()).toEqual(["A word in between.", "The lantern is green."]);
    world.advance(2 * 3_600_000);
    for (let round = 0; round < 3; round++) {
      await reconcile(stores, Number.POSITIVE_INFINITY, (error) => {
        throw error;
      });
      world.advance(2 * 3_600_000);
    }
    expect(await world.stored(USER, "s1")).toContain("The lantern is green.");
    expect((await world.memories.summary(USER)).statistics.memories).toBe((await world.stored(USER, "s1")).length);
  });

  it.each([
    ["a reset", () => resetSession(slow(), { user: USER, id: "s1" }, { seed: "reset" })],
    ["a deletion", () => deleteSession(slow(), { user: USER, id: "s1" })],
  ])("after %s does not count as a repeat of the earlier message", async (_what, empty) => {
    await world.say(USER, "s1", "The lantern is green.");
    await world.deliver(USER, "s1");
    await empty().catch(() => undefined);
    world.advance(1000);
    await world.say(USER, "s1", "The lantern is green.");
    await world.deliver(USER, "s1");
    expect(await world.find(USER, "green lantern")).toEqual(["The lantern is green."]);
  });
});

describe("a reset or deletion that fails half-way", () => {
  const failing = (stores: Stores): Stores => ({
    ...stores,
    sessions: {
      ...stores.sessions,
      transit: () => Promise.reject(new AppError("unavailable", "the store does not answer")),
    },
  });

  it.each([
    ["reset", (failed: Stores) => resetSession(failed, { user: USER, id: "s1" }, { seed: "reset" })],
    ["deletion", (failed: Stores) => deleteSession(failed, { user: USER, id: "s1" })],
  ])("hides no memory (%s)", async (_what, work) => {
    await remembered("s1");
    await expect(work(failing(stores))).rejects.toMatchObject({ code: "unavailable" });
    expect((await recalled()).toSorted()).toEqual(FACTS.toSorted());
    held = undefined;
    await world.say(USER, "s1", "One more lantern.");
    await world.deliver(USER, "s1");
    expect(await recalled()).toContain("One more lantern.");
    world.advance(20 * 60_000);
    await reconcile(stores, Number.POSITIVE_INFINITY, (error) => {
      throw error;
    });
    expect((await recalled()).toSorted()).toEqual([...FACTS, "One more lantern."].toSorted());
  });

  it("hides all memories when the transaction was made and its answer lost", async () => {
    await remembered("s1");
    const lost: Stores = {
      ...stores,
      sessions: {
        ...stores.sessions,
        async transit(...change) {
          await stores.sessions.transit(...change);
          throw new AppError("unavailable", "the answer is lost");
        },
      },
      memories: createSessionMemories(world.memories),
    };
    await expect(deleteSession(lost, { user: USER, id: "s1" })).rejects.toMatchObject({ code: "unavailable" });
    expect(await recalled()).toEqual([]);
  });
});

it("a switch back to a branch remembers it again, although replicas still show the memories that the switch away removed", async () => {
  const session = { user: USER, id: "switched" };
  await remembered(session.id);
  const deps = { ...world.deps, stores };
  const letters = async () =>
    (await listMessages(stores, session, { order: "asc", limit: 10, branch: "all" })).messages;
  const [first, , last] = await letters();
  const switchTo = async (head_id = "") => {
    await patchSession(stores, session, { head_id }, undefined);
    await followBranch(deps, { session, since: "" });
    const records = [];
    for await (const page of world.memories.ofSession(session)) records.push(...page.records);
    return records.map(({ content }) => content);
  };
  expect(await switchTo(first?.id)).toEqual(FACTS.slice(0, 1));
  expect(await switchTo(last?.id)).toEqual(FACTS);
});

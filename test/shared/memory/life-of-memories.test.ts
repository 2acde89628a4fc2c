import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { memorySummaryKey } from "../../../shared/dynamodb/keys.ts";
import { createSessionMemories, forgetEverything, forgetMemory } from "../../../shared/memory/forget.ts";
import { findByIds, listMemories } from "../../../shared/memory/read-memories.ts";
import { createSearch } from "../../../shared/memory/recall.ts";
import { noStatistics, withMemories } from "../../../shared/memory/statistics.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { meter } from "../../bench/support/meter.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
let world: MemoryWorld;
let users = 0;
let user: string;

beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
});
afterAll(() => engines.close());
beforeEach(() => {
  user = `user-${users++}`;
});

const FACTS = ["My daughter Zoe climbs granite walls.", "I am allergic to peanuts.", "The meeting moved to Thursday."];

/** The summary must equal a new count of all stored memories. */
async function expectExactStatistics(...sessions: string[]): Promise<void> {
  const counted = [];
  for (const id of sessions) {
    for await (const { records } of world.memories.ofSession({ user, id })) counted.push(...records);
  }
  const { statistics } = await world.memories.summary(user);
  expect(statistics).toEqual(withMemories(noStatistics(), counted, 1));
}

describe("remembering", () => {
  it("stores a message once, however often and concurrently its record is delivered", async () => {
    await world.say(user, "s1", ...FACTS);
    await Promise.all([world.deliver(user, "s1"), world.deliver(user, "s1"), world.deliver(user, "s1")]);
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual(FACTS);
    await expectExactStatistics("s1");
    expect((await world.find(user, "Which food allergy do I have?"))[0]).toBe(FACTS[1]);
  });

  it("gives the same result wherever it is interrupted", async () => {
    for (const kind of ["before", "after"] as const) {
      for (let n = 0; ; n++) {
        user = `user-${users++}`;
        await world.say(user, "s1", ...FACTS);
        const Records = await world.records(user, "s1");
        let failures = 0;
        const crashed = await world.crashing(n, kind, async () => {
          failures = (await world.job({ Records })).batchItemFailures.length;
        });
        if (!crashed) break;
        // The job also fails if all is stored and only the answer of the last write is lost.
        expect([0, FACTS.length]).toContain(failures);
        await world.deliver(user, "s1");
        expect(await world.stored(user, "s1")).toEqual(FACTS);
        await expectExactStatistics("s1");
      }
    }
  });

  it("keeps exact statistics while sessions of one user are added and deleted concurrently", async () => {
    const sessions = Array.from({ length: 6 }, (_, n) => `s${n}`);
    for (const id of sessions) await world.say(user, id, `Trip number ${id} to the glacier`, `Packed ropes for ${id}`);
    await Promise.all(sessions.map((id) => world.deliver(user, id)));
    await Promise.all([
      deleteSession(world.stores, { user, id: "s0" }),
      deleteSession(world.stores, { user, id: "s1" }),
      world.say(user, "s9", "A new rope arrived.").then(() => world.deliver(user, "s9")),
    ]);
    await expectExactStatistics(...sessions, "s9");
  });

  it("skips empty messages, stock phrases, repeats, and messages of system and tools", async () => {
    await world.say(
      user,
      "s1",
      "  ",
      "Thank you very much!",
      { role: "system", content: "You are a pirate." },
      { role: "tool", content: '{"temperature": 21}' },
      { role: "assistant", content: "How can I help you today?" },
      "The boiler needs a new valve.",
      "The boiler needs a new valve.",
    );
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual(["The boiler needs a new valve."]);
  });

  it("skips the exact repeat of one of the ten memories before it, which earlier runs have stored", async () => {
    const facts = Array.from({ length: 11 }, (_, n) => `Fact ${n} is about granite.`);
    for (const fact of facts) {
      await world.say(user, "s1", fact);
      await world.deliver(user, "s1");
      world.advance(1000);
    }
    const [first = "", second = ""] = facts;
    await world.say(user, "s1", second, { role: "assistant", content: second });
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual([...facts, second]);
    world.advance(1000);
    await world.say(user, "s1", first);
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual([...facts, second, first]);
  });

  it("remembers again what is said again after its memory was forgotten", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    const { records } = await listMemories(world.memories, user, { limit: 10 });
    await forgetMemory(world.memories, user, records.find(({ content }) => content === FACTS[1])?.id ?? "");
    world.advance(1000);
    await world.say(user, "s1", FACTS[1] ?? "");
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual([FACTS[0], FACTS[2], FACTS[1]]);
  });

  it("reads one memory, not ten, to remember what is no repeat", async () => {
    for (let n = 0; n < 12; n++) await world.say(user, "s1", `Fact ${n} is about granite.`);
    await world.deliver(user, "s1");
    world.advance(1000);
    await world.say(user, "s1", "Something new about saffron.");
    const { measure } = meter(engines.dynamodb);
    const Records = (await world.records(user, "s1")).slice(-1);
    const { rru } = await measure(() => world.job({ Records }));
    // The person, the anchor, the layout, the summary, the ids that are stored, and one memory, with its vector. Ten took 14 units.
    expect(rru).toBeLessThanOrEqual(7);
  });

  it("cuts a long message into several memories", async () => {
    const paragraphs = ["granite", "saffron", "velvet"].map((word) => `${`All about ${word}. `.repeat(60)}\n\n`);
    await world.say(user, "s1", paragraphs.join(""));
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toHaveLength(3);
    expect((await world.find(user, "saffron"))[0]).toContain("saffron");
  });
});

describe("recalling", () => {
  it("finds an answer by the question before it", async () => {
    await world.say(
      user,
      "s1",
      { name: "Ana", content: "Which instrument does your brother play?" },
      { role: "assistant", name: "Ben", content: "The cello, since he was six." },
      { name: "Ana", content: "Nice weather for a walk." },
    );
    await world.deliver(user, "s1");
    expect((await world.find(user, "Which instrument does the brother play?")).slice(0, 2)).toContain(
      "The cello, since he was six.",
    );
  });

  it("filters by session and by time", async () => {
    const at = (created_at: string, content: string) => ({ content, created_at });
    await world.say(user, "a", at("2023-05-08T10:00:00.000Z", "The glacier hike was cold."));
    await world.say(user, "b", at("2024-07-01T10:00:00.000Z", "Another glacier, another hike."));
    await world.deliver(user, "a", "b");
    const text = "glacier hike";
    expect(await world.find(user, text)).toHaveLength(2);
    expect(await world.find(user, text, { session_id: "a" })).toEqual(["The glacier hike was cold."]);
    const range = (from?: string, to?: string) => world.find(user, text, { from, to });
    expect(await range("2024-01-01T00:00:00.000Z")).toEqual(["Another glacier, another hike."]);
    expect(await range(undefined, "2024-01-01T00:00:00.000Z")).toEqual(["The glacier hike was cold."]);
    expect(await range("2023-05-08T10:00:00.000Z", "2023-05-08T10:00:00.001Z")).toEqual(["The glacier hike was cold."]);
    expect(await range("2023-05-01T00:00:00.000Z", "2023-05-08T10:00:00.000Z")).toEqual([]);
  });

  it("finds a phrase of stop words in a search, but not for a prompt", async () => {
    const search = createSearch(world.deps);
    await world.say(user, "s1", "We heard The Who in London.", "I know who the singer was.");
    world.advance(1000);
    await world.say(user, "s2", "My records of the Who are worn.");
    await world.say(`${user} too`, "s3", "The Who are the best band.");
    await world.deliver(user, "s1", "s2");
    await world.deliver(`${user} too`, "s3");
    const find = async (text: string, more: object = {}) =>
      (await search(user, { text, limit: 10, ...more })).map(({ content }) => content);
    expect(await find("the WHO?")).toEqual(["My records of the Who are worn.", "We heard The Who in London."]);
    expect(await find("the who", { session_id: "s1" })).toEqual(["We heard The Who in London."]);
    expect(await find("the who", { limit: 1 })).toHaveLength(1);
    const tomorrow = new Date(world.stores.clock() + 86_400_000).toISOString();
    expect(await find("the who", { from: tomorrow })).toEqual([]);
    expect(await find("the who", { to: "2020-01-01T00:00:00.000Z" })).toEqual([]);
    expect(await find("?!")).toEqual([]);
    expect((await find("London"))[0]).toBe("We heard The Who in London.");
    await deleteSession(world.stores, { user, id: "s2" });
    expect(await find("the who")).toEqual(["We heard The Who in London."]);
    // A recall for a prompt finds nothing.
    expect(await world.find(user, "the who")).toEqual([]);
  });

  it("finds no phrase in forgotten memories that are still stored or in a lagging index", async () => {
    await world.say(user, "s1", "We heard The Who in London.");
    await world.deliver(user, "s1");
    const { memories } = world;
    const { clock } = world.stores;
    const listed = await memories.list(user, { limit: 10 });
    const find = (deps = world.deps) => createSearch(deps)(user, { text: "the who", limit: 10 });
    expect(await find()).toHaveLength(1);
    world.advance(1000);
    const broken = { ...memories, erase: () => Promise.reject(new Error("throttled")) };
    const forgetting = forgetEverything({ memories: broken, clock }, user, Number.POSITIVE_INFINITY);
    await expect(forgetting).rejects.toThrow("throttled");
    expect(await find()).toEqual([]);
    await world.say(user, "s2", "They saw The Who in Leeds.");
    await world.deliver(user, "s2");
    const lagging = {
      ...memories,
      list: async () => ({
        ...listed,
        records: [...(await memories.list(user, { limit: 10 })).records, ...listed.records],
      }),
    };
    world.advance(1000);
    await forgetEverything({ memories, clock }, user, Number.POSITIVE_INFINITY);
    expect(await find({ ...world.deps, memories: lagging })).toEqual([]);
  });

  it("returns no memory that was forgotten one by one while the indexes lag", async () => {
    await world.say(user, "s1", "We heard The Who in London.");
    await world.deliver(user, "s1");
    const { memories } = world;
    const searched = new Map<string, ReturnType<typeof memories.search>>();
    let listed: ReturnType<typeof memories.list> | undefined;
    const lagging: typeof memories = {
      ...memories,
      search(of, query) {
        const key = JSON.stringify([query.period, query.session_id]);
        const found = searched.get(key) ?? memories.search(of, query);
        searched.set(key, found);
        return found;
      },
      list(of, query) {
        listed ??= memories.list(of, query);
        return listed;
      },
    };
    const search = createSearch({ ...world.deps, memories: lagging });
    const find = async (text: string) => (await search(user, { text, limit: 10 })).map(({ content }) => content);
    const said = ["We heard The Who in London."];
    expect([await find("London"), await find("the who")]).toEqual([said, said]);
    const [memory] = await world.recall(user, { text: "London", limit: 1 });
    // Another memory stays, so that there is something to search.
    await world.say(user, "s2", "The tulips are yellow.");
    await world.deliver(user, "s2");
    await forgetMemory(memories, user, memory!.id);
    expect([await find("London"), await find("the who")]).toEqual([[], []]);
  });

  it("ranks by terms alone with the built-in embedding, and searches nothing for a query without terms", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    const [best, ...others] = await world.recall(user, { text: "peanuts", limit: 10 });
    expect(best?.content).toBe(FACTS[1]);
    // BM25 of one term in one of three memories, and the part of its session. A similarity would add up to ten.
    expect(best?.score).toBeGreaterThan(0.5);
    expect(best?.score).toBeLessThan(2);
    expect(others.every(({ score = 0 }) => score < best!.score!)).toBe(true);
    expect(await world.counting(() => world.find(user, "what is the"))).toBe(1);
  });

  it("returns a repeated statement once", async () => {
    await world.say(user, "a", "The spare key hangs behind the blue door.");
    await world.say(user, "b", "the spare key hangs behind the blue door");
    await world.deliver(user, "a", "b");
    expect(await world.find(user, "where is the spare key")).toHaveLength(1);
  });

  it("makes two calls, and sometimes a third one for the layout", async () => {
    await world.say(user, "a", ...FACTS);
    await world.deliver(user, "a");
    world.advance(5000);
    expect(await world.counting(() => world.find(user, "peanuts"))).toBe(3);
    expect(await world.counting(() => world.find(user, "peanuts"))).toBe(2);
  });
});

describe("forgetting", () => {
  const gone = async (...sessions: string[]) => {
    expect(await world.find(user, FACTS.join(" "))).toEqual([]);
    for (const id of sessions) expect(await world.stored(user, id)).toEqual([]);
    expect((await listMemories(world.memories, user, { limit: 10 })).records).toEqual([]);
    expect((await world.memories.summary(user)).statistics).toEqual(noStatistics());
  };

  it("removes the memories of a deleted session at once and for ever", async () => {
    await world.say(user, "s1", ...FACTS);
    const Records = await world.records(user, "s1");
    await world.deliver(user, "s1");
    await deleteSession(world.stores, { user, id: "s1" });
    await gone("s1");
    await world.job({ Records });
    await gone("s1");
    // A new session with the same id is not the deleted one.
    world.advance(60_000);
    await world.say(user, "s1", "The tulips are yellow.");
    await world.job({ Records: [...Records, ...(await world.records(user, "s1"))] });
    expect(await world.stored(user, "s1")).toEqual(["The tulips are yellow."]);
    await expectExactStatistics("s1");
  });

  it("hides the memories of a deleted session even if their deletion fails", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    const { memories } = world;
    const broken = { ...memories, remove: () => Promise.reject(new Error("throttled")) };
    await deleteSession({ ...world.stores, memories: createSessionMemories(broken) }, { user, id: "s1" });
    expect(await world.find(user, FACTS.join(" "))).toEqual([]);
    expect((await listMemories(memories, user, { limit: 10 })).records).toEqual([]);
  });

  it("hides the memories of more deleted sessions than a summary names", async () => {
    const { memories } = world;
    const broken = { ...memories, remove: () => Promise.reject(new Error("throttled")) };
    const sessions = Array.from({ length: 12 }, (_, n) => `s${n}`);
    for (const id of sessions) await world.say(user, id, `The lantern of ${id}`);
    await world.deliver(user, ...sessions);
    for (const id of sessions.slice(1)) {
      world.advance(1);
      await deleteSession({ ...world.stores, memories: createSessionMemories(broken) }, { user, id });
      expect(await world.find(user, "lantern", { limit: 20 })).not.toContain(`The lantern of ${id}`);
    }
    expect(await world.find(user, "lantern", { limit: 20 })).toEqual(["The lantern of s0"]);
    const { forgottenSessions } = await memories.summary(user);
    expect(Object.keys(forgottenSessions)).toHaveLength(10);
  });

  it("keeps the summary of a user below 4 KB, however much was forgotten", async () => {
    user = `${user} of the department of long names`;
    const sessions = Array.from({ length: 11 }, (_, n) => `s${n}`);
    for (const id of sessions) await world.say(user, id, `The lantern of ${id}`, `The compass of ${id}`);
    await world.deliver(user, ...sessions);
    const found = await world.recall(user, { text: "lantern", limit: 100 });
    for (const { id } of found.filter(({ content }) => content.includes("lantern")))
      await forgetMemory(world.memories, user, id);
    for (const id of sessions.slice(1)) await deleteSession(world.stores, { user, id });
    const { forgotten, forgottenSessions } = await world.memories.summary(user);
    expect([forgotten.length, Object.keys(forgottenSessions).length]).toEqual([10, 10]);
    const { rru } = await meter(engines.dynamodb).measure(() => world.memories.summary(user));
    expect(rru).toBe(1);
  });

  it("hides memories from before a reset even if their deletion fails", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    const { memories } = world;
    const broken = { ...memories, remove: () => Promise.reject(new Error("throttled")) };
    const reset = resetSession(
      { ...world.stores, memories: createSessionMemories(broken) },
      { user, id: "s1" },
      { seed: "reset" },
    );
    await expect(reset).rejects.toThrow("throttled");
    expect(await world.find(user, FACTS.join(" "))).toEqual([]);
    // In the same millisecond, so that time cannot distinguish it.
    await world.say(user, "s1", "The tulips are yellow.");
    await world.deliver(user, "s1");
    expect(await world.find(user, "tulips")).toEqual(["The tulips are yellow."]);
  });

  it("removes the memories of a reset session, and remembers new messages", async () => {
    await world.say(user, "s1", ...FACTS);
    const Records = await world.records(user, "s1");
    await world.deliver(user, "s1");
    await resetSession(world.stores, { user, id: "s1" }, { seed: "reset" });
    await gone("s1");
    await world.job({ Records });
    await gone("s1");
    await world.say(user, "s1", "The tulips are yellow.");
    await world.deliver(user, "s1");
    expect(await world.find(user, "tulips")).toEqual(["The tulips are yellow."]);
  });

  it("forgets one memory for ever, also when its session is archived and restored", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    const [memory] = await world.recall(user, { text: "peanuts", limit: 1 });
    await expect(forgetMemory(world.memories, "somebody else", memory!.id)).rejects.toMatchObject({
      code: "not_found",
    });
    const { records } = await listMemories(world.memories, user, { limit: 10 });
    const ids = records.map(({ id }) => id).reverse();
    const byIds = async (of = user) => (await findByIds(world.memories, of, ids)).map(({ id }) => id);
    expect([await byIds(), await byIds("somebody else")]).toEqual([ids, []]);
    await forgetMemory(world.memories, user, memory!.id);
    expect(await byIds()).toEqual(ids.filter((id) => id !== memory!.id));
    const left = [FACTS[0], FACTS[2]];
    expect(await world.find(user, "peanuts allergic")).toEqual([]);
    await expectExactStatistics("s1");
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual(left);
    await expect(forgetMemory(world.memories, user, memory!.id)).rejects.toMatchObject({ code: "not_found" });

    world.advance(3_700_000);
    const removed = await world.sweep(user, "s1");
    await world.archiveJob({ Records: [removed!] });
    expect(await world.find(user, "granite")).toEqual(left);
    await restoreSession(world.stores, { user, id: "s1" });
    await world.deliver(user, "s1");
    expect(await world.stored(user, "s1")).toEqual(left);
    await expectExactStatistics("s1");
  });

  it("forgets everything that was said so far, and nothing that is said later", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.say(user, "s2", "Said, but not remembered yet.");
    await world.deliver(user, "s1");
    world.advance(1000);
    await forgetEverything({ memories: world.memories, clock: world.stores.clock }, user, Number.POSITIVE_INFINITY);
    await gone("s1", "s2");
    await world.deliver(user, "s1", "s2");
    await gone("s1", "s2");
    await world.say(user, "s1", "The tulips are yellow.");
    await world.deliver(user, "s1");
    expect(await world.find(user, "tulips")).toEqual(["The tulips are yellow."]);
    await expectExactStatistics("s1", "s2");
  });

  it("lets the summary expire only when the user has no memories and has never forgotten everything", async () => {
    const expiry = async () => (await world.table.get(memorySummaryKey(user)))?.expires_at;
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    expect(await expiry()).toBeUndefined();
    await deleteSession(world.stores, { user, id: "s1" });
    const seconds = Math.floor(world.stores.clock() / 1000);
    expect(await expiry()).toBe(seconds + retention.emptyMemorySummary.seconds);
    await world.say(user, "s2", ...FACTS);
    await world.deliver(user, "s2");
    expect(await expiry()).toBeUndefined();
    // A message that was captured before can still arrive, so this mark must stay.
    await forgetEverything({ memories: world.memories, clock: world.stores.clock }, user, Number.POSITIVE_INFINITY);
    expect((await world.memories.summary(user)).statistics.memories).toBe(0);
    expect(await expiry()).toBeUndefined();
  });

  it("fails when time runs out, and a repeat completes it", async () => {
    await world.say(user, "s1", ...FACTS);
    await world.deliver(user, "s1");
    world.advance(1000);
    const deps = { memories: world.memories, clock: world.stores.clock };
    const slow = {
      ...world.memories,
      async forgetAll(...change: Parameters<typeof world.memories.forgetAll>) {
        const done = await world.memories.forgetAll(...change);
        world.advance(2000);
        return done;
      },
    };
    await expect(
      forgetEverything({ ...deps, memories: slow }, user, world.stores.clock() + 1000),
    ).rejects.toMatchObject({
      code: "unavailable",
      message: "the time ran out before all memories were deleted: repeat it to delete the rest",
    });
    // After the first write no search finds the memories that are still stored.
    expect([await world.find(user, "granite"), (await world.stored(user, "s1")).length]).toEqual([[], FACTS.length]);
    await forgetEverything(deps, user, world.stores.clock() + 1000);
    expect(await world.stored(user, "s1")).toEqual([]);
  });
});

import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { firstWords } from "../../../shared/chat/title.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { createChatWorld, runTurn, turnRequest } from "../../support/chat-world.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let count = 0;
let user = "";

beforeAll(async () => {
  // These tests cause errors on purpose, which are logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
beforeEach(() => {
  user = `user-${count++}`;
});

const session = () => ({ user, id: "s" });
const titles = async () => {
  const [header, anchor] = await Promise.all([
    t.world.stores.sessions.find(session()),
    t.world.stores.sessions.findAnchor(session()),
  ]);
  return [header?.title, anchor?.title];
};
const worldWith = (titleModel?: string) => createChatWorld(t.world, t.fake.url, titleModel ? { titleModel } : {});
const say = (content: string, { deps } = worldWith(), more = {}) =>
  runTurn(deps, turnRequest(deps, user, "s", content, { create: true, ...more }));

describe("the first words of a text", () => {
  it.each([
    ["Where is my cat?", "Where is my cat?"],
    ["  two\n\nlines\tof text ", "two lines of text"],
    ["x".repeat(60), "x".repeat(60)],
    ["", null],
    [" \n ", null],
  ])("%j are %j", (text, title) => {
    expect(firstWords(text)).toBe(title);
  });

  it("end at a word when the text is longer than a title", () => {
    const title = firstWords("Please tell me everything that you know about the migration of monarch butterflies");
    expect(title).toBe("Please tell me everything that you know about the migration…");
    expect(title!.length).toBeLessThanOrEqual(60);
  });

  it("end at a word in languages without spaces, and within a word that is too long", () => {
    expect(firstWords("東京の天気はどうですか".repeat(20))).toMatch(/^東京の天気[^\s]{5,54}…$/);
    expect(firstWords("x".repeat(100))).toBe(`${"x".repeat(59)}…`);
    expect(firstWords("👩‍👩‍👧‍👦".repeat(20))).toBe(`${"👩‍👩‍👧‍👦".repeat(5)}…`);
  });
});

describe("a session without a title", () => {
  it("gets one when a turn creates it", async () => {
    await say("Where is my cat?");
    expect(await titles()).toEqual(["Where is my cat?", "Where is my cat?"]);
    await say("And my dog?");
    expect(await titles()).toEqual(["Where is my cat?", "Where is my cat?"]);
  });

  it("gets the first words of its conversation after its first turn", async () => {
    await t.world.create(user, "s", 3600);
    const captured = [
      { role: "assistant" as const, content: "Hello!" },
      { role: "user" as const, content: "My cat is lost" },
    ];
    await appendMessages(t.world.stores, session(), captured, { seed: user, at: t.world.stores.clock() });
    const { turn } = await say("Where is it?");
    await turn.done;
    expect(await titles()).toEqual(["My cat is lost", "My cat is lost"]);
  });

  it("gets none from a question without words, and one from the next question", async () => {
    await t.world.create(user, "s", 3600);
    const { deps } = worldWith();
    const parts = [{ type: "data" as const, name: "x", data: 1 }];
    const question = { role: "user" as const, content: "", parts };
    await runTurn(deps, turnRequest(deps, user, "s", "", { question }));
    expect(await titles()).toEqual([null, null]);
    await say("Where is my cat?");
    expect(await titles()).toEqual(["Where is my cat?", "Where is my cat?"]);
  });
});

describe("a title that a client has set", () => {
  it("stays, also when it is set while the first turn runs", async () => {
    await t.world.create(user, "s", 3600);
    const { deps } = worldWith();
    t.fake.next({ text: "one two three", perToken: 50 });
    const turn = await startTurn(deps, turnRequest(deps, user, "s", "Where is my cat?"));
    await patchSession(t.world.stores, session(), { title: "Mine" }, undefined);
    await turn.done;
    expect(await titles()).toEqual(["Mine", "Mine"]);
  });
});

const reset = () => resetSession(t.world.stores, session(), { seed: `reset ${user}` });
const deleteNth = async (n: number) => {
  const { messages } = await listMessages(t.world.stores, session(), { order: "asc", limit: 100 });
  await deleteMessage(t.world.stores, session(), messages[n]!.id);
};
const archive = async () => {
  t.world.advance(2 * 3_600_000);
  const record = await t.world.sweep(user, "s");
  expect((await t.world.archiveJob({ Records: [record!] })).batchItemFailures).toEqual([]);
};
const archiveAndRestore = async () => {
  await archive();
  await restoreSession(t.world.stores, session());
};

describe("a title that was made from messages", () => {
  const between: [string, () => Promise<unknown>][] = [
    ["a hot session", async () => undefined],
    ["an archived session", archive],
    ["a restored session", archiveAndRestore],
    ["a session with new metadata", () => patchSession(t.world.stores, session(), { metadata: { a: 1 } }, undefined)],
  ];
  const removals: [string, () => Promise<unknown>][] = [
    ["a reset", reset],
    ["the deletion of its question", () => deleteNth(0)],
  ];
  const cases = between.flatMap(([where, move]) =>
    removals.map(([what, remove]) => [where, what, move, remove] as const),
  );

  it.each(cases)("of %s goes with %s, and the next first turn makes another", async (_where, _what, move, remove) => {
    await say("Where is my cat?");
    await move();
    expect((await titles())[1]).toBe("Where is my cat?");
    await remove();
    expect(await titles()).toEqual([null, null]);
    await say("And my dog?");
    expect(await titles()).toEqual(["And my dog?", "And my dog?"]);
  });

  it.each(between)("of %s stays when a later message is deleted", async (_where, move) => {
    await say("Where is my cat?");
    await say("And my dog?");
    await move();
    await deleteNth(2);
    expect(await titles()).toEqual(["Where is my cat?", "Where is my cat?"]);
  });

  it("goes with a question that does not begin the conversation", async () => {
    await t.world.create(user, "s", 3600);
    const captured = [
      { role: "assistant" as const, content: "Hello!" },
      { role: "user" as const, content: "My cat is lost" },
    ];
    await appendMessages(t.world.stores, session(), captured, { seed: user, at: t.world.stores.clock() });
    await (await say("Where is it?")).turn.done;
    await deleteNth(1);
    expect(await titles()).toEqual([null, null]);
  });

  it("goes with the answer from which the model made it", async () => {
    await say("Where is my cat?", worldWith("model-t"));
    expect((await titles())[0]).toMatch(/^You said/);
    await deleteNth(1);
    expect(await titles()).toEqual([null, null]);
  });

  it("goes with the last message when the question that it was made from was never answered", async () => {
    const { deps } = worldWith();
    t.fake.next({ status: 400 });
    await expect(startTurn(deps, turnRequest(deps, user, "s", "Refused", { create: true }))).rejects.toThrow();
    await say("Where is my cat?");
    await deleteNth(0);
    expect(await titles()).toEqual([null, null]);
  });

  it.each(cases)(
    "of %s is the client's once a client sets one: it stays after %s",
    async (_where, _what, move, remove) => {
      await say("Where is my cat?");
      await patchSession(t.world.stores, session(), { title: "Mine" }, undefined);
      await move();
      await remove();
      expect(await titles()).toEqual(["Mine", "Mine"]);
    },
  );

  it("is the client's also when a client sets it in the archive", async () => {
    await say("Where is my cat?");
    await archive();
    await patchSession(t.world.stores, session(), { title: "Mine" }, undefined);
    await reset();
    expect(await titles()).toEqual(["Mine", "Mine"]);
  });
});

describe("a title by a model", () => {
  it("is asked for once, after the first turn, with its tokens booked and no request counted", async () => {
    const chat = worldWith("model-t");
    const { text } = await say("Where is my cat?", chat);
    t.fake.next({ text: "Next answer" });
    expect(t.fake.requests).toHaveLength(2);
    expect(t.fake.requests[1]).toMatchObject({ model: "model-t", max_tokens: 20 });
    expect(t.fake.requests[1]!.messages.at(-1)!.content).toBe(`user: Where is my cat?\n\nassistant: ${text}`);
    expect(await titles()).toEqual(
      Array(2).fill(firstWords(`You said: ${t.fake.requests[1]!.messages.at(-1)!.content}`)),
    );
    await say("And my dog?", chat);
    expect(t.fake.requests).toHaveLength(3);
    const calls = chat.metrics.filter(({ kind, user: of }) => kind === "llm.call" && of === user);
    expect(calls.map(({ dimensions }) => dimensions)).toMatchObject([
      { model: "model-a" },
      { model: "model-t" },
      { model: "model-a" },
    ]);
    const tokens = calls.map(({ measures }) => {
      const { input_tokens = 0, output_tokens = 0 } = measures as Record<string, number>;
      return input_tokens + output_tokens;
    });
    const { spent, requests, cost_usd } = await chat.deps.limits.usage(user, t.world.stores.clock());
    expect(spent).toBe(tokens.reduce((sum, one) => sum + one, 0));
    // Both turns are requests of the user.
    expect(requests).toBe(2);
    const costs = calls.map(({ measures }) => Number((measures as Record<string, number>).cost_usd));
    expect(cost_usd).toBeCloseTo(
      costs.reduce((sum, one) => sum + one, 0),
      8,
    );
  });

  it.each([
    ["quotes its title", { text: '"Lost cat"' }, "Lost cat"],
    ["says nothing", { text: "" }, "Where is my cat?"],
    ["refuses", { status: 400 }, "Where is my cat?"],
    ["breaks off", { text: "one two", resetAfter: 1 }, "Where is my cat?"],
  ])("that %s does not prevent a title", async (_what, behaviour, title) => {
    const chat = worldWith("model-t");
    t.fake.next({}, behaviour);
    await say("Where is my cat?", chat);
    expect(await titles()).toEqual([title, title]);
    const { spent } = await chat.deps.limits.usage(user, t.world.stores.clock());
    expect(spent).toBeLessThan(200);
  });

  it("is not asked for when the budget of the day is used up", async () => {
    const chat = worldWith("model-t");
    const plan = { name: "small", requests_per_minute: 0, tokens_per_day: 1600 };
    t.fake.next({ usage: { prompt_tokens: 1590, completion_tokens: 5 } });
    await say("Where is my cat?", chat, { plan });
    expect(t.fake.requests).toHaveLength(1);
    expect(await titles()).toEqual(["Where is my cat?", "Where is my cat?"]);
  });
});

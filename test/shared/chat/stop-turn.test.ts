import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { followRunningTurn } from "../../../shared/chat/follow-turn.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { stopTurns } from "../../../shared/chat/stop-turn.ts";
import type { Turn, TurnRequest } from "../../../shared/chat/turn.ts";
import type { TurnStore } from "../../../shared/chat/turn-store.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { timeOrderedId } from "../../../shared/session/message.ts";
import type { Stored } from "../../../shared/session/store.ts";
import { createChatWorld, createInstance, runTurn, textOf, turnRequest } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let chat: ReturnType<typeof createChatWorld>;
let count = 0;
let user = "";

beforeAll(async () => {
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  chat = createChatWorld(world, fake.url);
});
beforeEach(async () => {
  fake.reset();
  user = `user-${count++}`;
  await world.create(user, "s", 3600);
});
afterAll(() => Promise.all([engines.close(), fake.close()]));

const session = () => ({ user, id: "s" });
const start = (content: string, more: Partial<TurnRequest> = {}) =>
  startTurn(chat.deps, turnRequest(chat.deps, user, "s", content, more));
const stored = async () => (await listMessages(chat.deps, session(), { order: "asc", limit: 100 })).messages;
const header = async () => (await world.stores.sessions.find(session()))!;
const spent = async () => (await chat.deps.limits.usage(user, world.stores.clock())).spent;
const lastEvent = async (turn: Turn) => {
  let last: unknown;
  for await (const event of turn.events()) last = event;
  return last;
};
/** A turn whose function dies when it has stored its question. It counts as dead after so many milliseconds. */
async function die(after: number) {
  const [record, now] = [await header(), world.stores.clock()];
  const answer = timeOrderedId({ seed: user, at: now }, 0xfff);
  const question = { id: timeOrderedId({ seed: user, at: now }, 0xffe), role: "user" as const, content: "q" };
  const created_at = new Date(now).toISOString();
  await chat.deps.turns.begin({
    record,
    question: { ...question, created_at },
    answer,
    branch: 0,
    isAgain: false,
    now,
    until: now + after,
    dead: [],
  });
  return { turn: { ...session(), generation: record.generation, answer }, now };
}
/** The turn store of a function instance that another actor overtakes at one of its calls. */
const overtaken = (call: keyof TurnStore, meanwhile: () => Promise<unknown>) => {
  let isFirst = true;
  const { turns } = chat.deps;
  return {
    ...chat.deps,
    turns: {
      ...turns,
      [call]: async (...given: unknown[]) => {
        if (isFirst) {
          isFirst = false;
          await meanwhile();
        }
        return (turns[call] as (...args: unknown[]) => Promise<unknown>)(...given);
      },
    } as TurnStore,
  };
};

describe("a stop", () => {
  it("closes the provider's connection within a second, and stores what was said as stopped", async () => {
    fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    const began = performance.now();
    expect(await stopTurns(chat.deps, session())).toMatchObject({ id: turn.id, status: "stopped" });
    expect(performance.now() - began).toBeLessThan(1500);
    expect(fake.requests[0]).toMatchObject({ isCut: true });
    expect(await lastEvent(turn)).toMatchObject({ kind: "end", message: { content: "one ", status: "stopped" } });
    await turn.done;
    expect((await stored()).at(-1)).toMatchObject({ id: turn.id, content: "one ", status: "stopped" });
    expect(await header()).toMatchObject({ message_count: 2 });
    expect((await header()).turns).toBeUndefined();
  });

  it("counts what was used, and gives the rest of the budget back", async () => {
    fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    expect(await spent()).toBeGreaterThan(4000);
    const answer = await stopTurns(chat.deps, session());
    await turn.done;
    const { input_tokens = 0, output_tokens = 0 } = answer?.usage ?? {};
    expect(input_tokens).toBeGreaterThan(0);
    expect(await spent()).toBe(input_tokens + output_tokens);
  });

  it("before the first token ends the turn with an empty answer that later prompts leave out", async () => {
    fake.next({ hang: "first token" });
    const starting = start("count");
    await expect.poll(() => fake.requests.length).toBe(1);
    expect(await stopTurns(chat.deps, session())).toMatchObject({ content: "", status: "stopped" });
    const turn = await starting;
    expect(await textOf(turn)).toBe("");
    await turn.done;
    expect(fake.requests[0]).toMatchObject({ isCut: true });
    await runTurn(chat.deps, turnRequest(chat.deps, user, "s", "again"));
    expect(fake.requests[1]!.messages.map(({ content }) => content)).toEqual(["Be brief.", "count", "again"]);
    expect(await header()).toMatchObject({ message_count: 4 });
  });

  it("does not count as an outage of the provider", async () => {
    const model = createInstance(world.table, { url: fake.url, threshold: 1 });
    const deps = { ...chat.deps, model };
    fake.next({ hang: "first token" });
    const starting = startTurn(deps, turnRequest(deps, user, "s", "count"));
    await expect.poll(() => fake.requests.length).toBe(1);
    await stopTurns(chat.deps, session());
    await (await starting).done;
    expect((await runTurn(deps, turnRequest(deps, user, "s", "again"))).text).toBe("You said: again");
  });

  it("when nothing runs changes nothing", async () => {
    await runTurn(chat.deps, turnRequest(chat.deps, user, "s", "hello"));
    const before = await header();
    expect(await stopTurns(chat.deps, session())).toBeNull();
    expect(await stopTurns(chat.deps, { user, id: "nowhere" })).toBeNull();
    expect(await header()).toEqual(before);
  });

  it("of two clients at once ends the turn once, and both are told", async () => {
    fake.next({ text: "one two", hang: "mid-stream" });
    const turn = await start("count");
    const answers = await Promise.all([stopTurns(chat.deps, session()), stopTurns(chat.deps, session())]);
    expect(answers.map((answer) => answer?.id)).toEqual([turn.id, turn.id]);
    expect(await stopTurns(chat.deps, session())).toBeNull();
    expect(await stored()).toHaveLength(2);
    expect(await header()).toMatchObject({ message_count: 2 });
  });

  it("stops each of several turns that run in a session", async () => {
    fake.always({ text: "one two", hang: "mid-stream" });
    const turns = [await start("first"), await start("second")];
    await stopTurns(chat.deps, session());
    await Promise.all(turns.map(({ done }) => done));
    expect((await stored()).filter(({ status }) => status === "stopped")).toHaveLength(2);
    expect(await header()).toMatchObject({ message_count: 4 });
  });

  it.each(["save", "close"] as const)(
    "that comes when the answer has ended by itself, before its %s, changes nothing of it",
    async (call) => {
      let stopping: Promise<unknown> | undefined;
      const deps = overtaken(call, async () => {
        const { turns } = chat.deps;
        const marked = Promise.withResolvers<void>();
        const stop: TurnStore["stop"] = (...given) => turns.stop(...given).finally(marked.resolve);
        stopping = stopTurns({ ...chat.deps, turns: { ...turns, stop } }, session());
        await marked.promise;
      });
      const turn = await startTurn(deps, turnRequest(deps, user, "s", "hello"));
      await turn.done;
      expect(await stopping).toBeNull();
      expect((await stored()).at(-1)).toMatchObject({ content: "You said: hello", status: "complete" });
      expect(await header()).toMatchObject({ message_count: 2 });
    },
  );

  it("of a turn whose function has died stores what was saved of it, and ends it", async () => {
    const told: Stored[] = [];
    const { turn, now } = await die(60_000);
    await chat.deps.turns.saveText(turn, { text: "half of", model: "model-a" }, now);
    const stopped = await stopTurns(chat.deps, session(), (one) => void told.push(one));
    expect(stopped).toMatchObject({ id: turn.answer, content: "half of", model: "model-a", status: "stopped" });
    expect(told).toEqual([{ messages: 1 }]);
    expect(await header()).toMatchObject({ message_count: 2 });
    expect((await header()).turns).toBeUndefined();
  }, 10_000);

  it("of a turn that counts as dead finds nothing running", async () => {
    const { now } = await die(-1);
    expect(await stopTurns(chat.deps, session())).toBeNull();
    expect(await followRunningTurn(chat.deps, session(), now + 1000)).toBeNull();
  });

  it("that took the turn for dead is not undone by its function, which reacts late", async () => {
    const { turns } = chat.deps;
    // The instance does not see the mark.
    const deps = { ...chat.deps, turns: { ...turns, isStopped: async () => false } };
    const gate = Promise.withResolvers<void>();
    fake.next({ until: gate.promise, text: "all of it" });
    const starting = startTurn(deps, turnRequest(deps, user, "s", "hello"));
    await expect.poll(() => fake.requests.length).toBe(1);
    expect(await stopTurns(chat.deps, session())).toMatchObject({ content: "", status: "stopped" });
    gate.resolve();
    const turn = await starting;
    expect(await lastEvent(turn)).toMatchObject({ message: { content: "", status: "stopped" } });
    await turn.done;
    expect((await stored()).map(({ content }) => content)).toEqual(["hello", ""]);
    expect(await header()).toMatchObject({ message_count: 2 });
  }, 10_000);

  it("is seen by a client that follows the answer", async () => {
    fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    const following = await followRunningTurn(chat.deps, session(), world.stores.clock() + 60_000);
    expect(following?.id).toBe(turn.id);
    const seen = lastEvent(following!);
    await stopTurns(chat.deps, session());
    expect(await seen).toMatchObject({ kind: "end", message: { content: "one ", status: "stopped" } });
  });
});

describe("a turn that is stopped and whose function dies", () => {
  it("is stored as stopped by the next turn", async () => {
    const { turn, now } = await die(1000);
    await chat.deps.turns.saveText(turn, { text: "half of", model: "model-a" }, now);
    await chat.deps.turns.stop(turn, now);
    await chat.deps.turns.saveText(turn, { text: "half of it", model: "model-a" }, now);
    world.advance(2000);
    await runTurn(chat.deps, turnRequest(chat.deps, user, "s", "next"));
    expect((await stored()).find(({ id }) => id === turn.answer)).toMatchObject({
      content: "half of it",
      status: "stopped",
    });
  });
});

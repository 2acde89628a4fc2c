import { beforeEach, describe, expect, it } from "vitest";
import { followRunningTurn } from "../../../shared/chat/follow-turn.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { stopTurns } from "../../../shared/chat/stop-turn.ts";
import type { Turn, TurnRequest } from "../../../shared/chat/turn.ts";
import type { TurnStore } from "../../../shared/chat/turn-store.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { timeOrderedId } from "../../../shared/session/message.ts";
import type { Stored } from "../../../shared/session/store.ts";
import { createInstance, runTurn, textOf, turnRequest } from "../../support/chat-world.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let count = 0;
let user = "";

beforeEach(async () => {
  user = `user-${count++}`;
  await t.world.create(user, "s", 3600);
});

const session = () => ({ user, id: "s" });
const start = (content: string, more: Partial<TurnRequest> = {}) =>
  startTurn(t.chat.deps, turnRequest(t.chat.deps, user, "s", content, more));
const stored = async () => (await listMessages(t.chat.deps, session(), { order: "asc", limit: 100 })).messages;
const header = async () => (await t.world.stores.sessions.find(session()))!;
const spent = async () => (await t.chat.deps.limits.usage(user, t.world.stores.clock())).spent;
const lastEvent = async (turn: Turn) => {
  let last: unknown;
  for await (const event of turn.events()) last = event;
  return last;
};
/** A turn whose function dies when it has stored its question. It counts as dead after so many milliseconds. */
async function die(after: number) {
  const [record, now] = [await header(), t.world.stores.clock()];
  const answer = timeOrderedId({ seed: user, at: now }, 0xfff);
  const question = { id: timeOrderedId({ seed: user, at: now }, 0xffe), role: "user" as const, content: "q" };
  const created_at = new Date(now).toISOString();
  await t.chat.deps.turns.begin({
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
  const { turns } = t.chat.deps;
  return {
    ...t.chat.deps,
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
  it("closes the provider's connection within a second, and stores the part that arrived as stopped", async () => {
    t.fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    const began = performance.now();
    expect(await stopTurns(t.chat.deps, session())).toMatchObject({ id: turn.id, status: "stopped" });
    expect(performance.now() - began).toBeLessThan(1500);
    expect(t.fake.requests[0]).toMatchObject({ isCut: true });
    expect(await lastEvent(turn)).toMatchObject({ kind: "end", message: { content: "one ", status: "stopped" } });
    await turn.done;
    expect((await stored()).at(-1)).toMatchObject({ id: turn.id, content: "one ", status: "stopped" });
    expect(await header()).toMatchObject({ message_count: 2 });
    expect((await header()).turns).toBeUndefined();
  });

  it("counts what was used, and gives the rest of the budget back", async () => {
    t.fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    expect(await spent()).toBeGreaterThan(4000);
    const answer = await stopTurns(t.chat.deps, session());
    await turn.done;
    const { input_tokens = 0, output_tokens = 0 } = answer?.usage ?? {};
    expect(input_tokens).toBeGreaterThan(0);
    expect(await spent()).toBe(input_tokens + output_tokens);
  });

  it("before the first token ends the turn with an empty answer that later prompts leave out", async () => {
    t.fake.next({ hang: "first token" });
    const starting = start("count");
    await expect.poll(() => t.fake.requests.length).toBe(1);
    expect(await stopTurns(t.chat.deps, session())).toMatchObject({ content: "", status: "stopped" });
    const turn = await starting;
    expect(await textOf(turn)).toBe("");
    await turn.done;
    expect(t.fake.requests[0]).toMatchObject({ isCut: true });
    await runTurn(t.chat.deps, turnRequest(t.chat.deps, user, "s", "again"));
    expect(t.fake.requests[1]!.messages.map(({ content }) => content)).toEqual(["Be brief.", "count", "again"]);
    expect(await header()).toMatchObject({ message_count: 4 });
  });

  it("does not count as an outage of the provider", async () => {
    const model = createInstance(t.world.table, { url: t.fake.url, threshold: 1 });
    const deps = { ...t.chat.deps, model };
    t.fake.next({ hang: "first token" });
    const starting = startTurn(deps, turnRequest(deps, user, "s", "count"));
    await expect.poll(() => t.fake.requests.length).toBe(1);
    await stopTurns(t.chat.deps, session());
    await (await starting).done;
    expect((await runTurn(deps, turnRequest(deps, user, "s", "again"))).text).toBe("You said: again");
  });

  it("when nothing runs changes nothing", async () => {
    await runTurn(t.chat.deps, turnRequest(t.chat.deps, user, "s", "hello"));
    const before = await header();
    expect(await stopTurns(t.chat.deps, session())).toBeNull();
    expect(await stopTurns(t.chat.deps, { user, id: "nowhere" })).toBeNull();
    expect(await header()).toEqual(before);
  });

  it("of two clients at once ends the turn once, and both are told", async () => {
    t.fake.next({ text: "one two", hang: "mid-stream" });
    const turn = await start("count");
    const answers = await Promise.all([stopTurns(t.chat.deps, session()), stopTurns(t.chat.deps, session())]);
    expect(answers.map((answer) => answer?.id)).toEqual([turn.id, turn.id]);
    expect(await stopTurns(t.chat.deps, session())).toBeNull();
    expect(await stored()).toHaveLength(2);
    expect(await header()).toMatchObject({ message_count: 2 });
  });

  it("stops each of several turns that run in a session", async () => {
    t.fake.always({ text: "one two", hang: "mid-stream" });
    const turns = [await start("first"), await start("second")];
    await stopTurns(t.chat.deps, session());
    await Promise.all(turns.map(({ done }) => done));
    expect((await stored()).filter(({ status }) => status === "stopped")).toHaveLength(2);
    expect(await header()).toMatchObject({ message_count: 4 });
  });

  it.each(["save", "close"] as const)(
    "that comes when the answer has ended by itself, before its %s, changes nothing of it",
    async (call) => {
      let stopping: Promise<unknown> | undefined;
      const deps = overtaken(call, async () => {
        const { turns } = t.chat.deps;
        const marked = Promise.withResolvers<void>();
        const stop: TurnStore["stop"] = (...given) => turns.stop(...given).finally(marked.resolve);
        stopping = stopTurns({ ...t.chat.deps, turns: { ...turns, stop } }, session());
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
    await t.chat.deps.turns.saveText(turn, { text: "half of", model: "model-a" }, now);
    const stopped = await stopTurns(t.chat.deps, session(), (one) => void told.push(one));
    expect(stopped).toMatchObject({ id: turn.answer, content: "half of", model: "model-a", status: "stopped" });
    expect(told).toEqual([{ messages: 1 }]);
    expect(await header()).toMatchObject({ message_count: 2 });
    expect((await header()).turns).toBeUndefined();
  }, 10_000);

  it("of a turn that counts as dead finds nothing running", async () => {
    const { now } = await die(-1);
    expect(await stopTurns(t.chat.deps, session())).toBeNull();
    expect(await followRunningTurn(t.chat.deps, session(), now + 1000)).toBeNull();
  });

  it("that treated the turn as dead is not undone when the function of the turn reacts late", async () => {
    const { turns } = t.chat.deps;
    // The instance does not see the mark.
    const deps = { ...t.chat.deps, turns: { ...turns, isStopped: async () => false } };
    const gate = Promise.withResolvers<void>();
    t.fake.next({ until: gate.promise, text: "all of it" });
    const starting = startTurn(deps, turnRequest(deps, user, "s", "hello"));
    await expect.poll(() => t.fake.requests.length).toBe(1);
    expect(await stopTurns(t.chat.deps, session())).toMatchObject({ content: "", status: "stopped" });
    gate.resolve();
    const turn = await starting;
    expect(await lastEvent(turn)).toMatchObject({ message: { content: "", status: "stopped" } });
    await turn.done;
    expect((await stored()).map(({ content }) => content)).toEqual(["hello", ""]);
    expect(await header()).toMatchObject({ message_count: 2 });
  }, 10_000);

  it("is seen by a client that follows the answer", async () => {
    t.fake.next({ text: "one two three", hang: "mid-stream" });
    const turn = await start("count");
    const following = await followRunningTurn(t.chat.deps, session(), t.world.stores.clock() + 60_000);
    expect(following?.id).toBe(turn.id);
    const seen = lastEvent(following!);
    await stopTurns(t.chat.deps, session());
    expect(await seen).toMatchObject({ kind: "end", message: { content: "one ", status: "stopped" } });
  });
});

describe("a turn that is stopped and whose function dies", () => {
  it("is stored as stopped by the next turn", async () => {
    const { turn, now } = await die(1000);
    await t.chat.deps.turns.saveText(turn, { text: "half of", model: "model-a" }, now);
    await t.chat.deps.turns.stop(turn, now);
    await t.chat.deps.turns.saveText(turn, { text: "half of it", model: "model-a" }, now);
    t.world.advance(2000);
    await runTurn(t.chat.deps, turnRequest(t.chat.deps, user, "s", "next"));
    expect((await stored()).find(({ id }) => id === turn.answer)).toMatchObject({
      content: "half of it",
      status: "stopped",
    });
  });
});

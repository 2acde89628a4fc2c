import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { followTurn } from "../../../shared/chat/follow-turn.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import type { TurnRequest } from "../../../shared/chat/turn.ts";
import { AppError } from "../../../shared/errors.ts";
import type { Memory } from "../../../shared/memory/memory.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { readSession } from "../../../shared/session/read-session.ts";
import { runTurn, textOf, turnRequest } from "../../support/chat-world.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let count = 0;
let user = "";

beforeAll(async () => {
  // These tests cause errors on purpose, which are logged.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
beforeEach(async () => {
  user = `user-${count++}`;
  await t.world.create(user, "s");
});

/** Claims that are not stored. */
const unkept = { keep: async () => undefined, release: async () => undefined };
const request = (content: string, more: Partial<TurnRequest> = {}) =>
  turnRequest(t.chat.deps, user, "s", content, more);
const session = () => ({ user, id: "s" });
const spent = async () => (await t.chat.deps.limits.usage(user, t.world.stores.clock())).spent;
const stored = async () => (await listMessages(t.chat.deps, session(), { order: "asc", limit: 100 })).messages;
const memory = (message_id: string): Memory => ({
  id: `m-${message_id}`,
  session_id: "s",
  message_id,
  role: "user",
  content: `what ${message_id} says`,
  created_at: "2026-01-02T03:04:05.000Z",
});

describe("a turn that fails", () => {
  it("because no model answers is counted as failed in the metrics", async () => {
    t.fake.always({ status: 429 });
    await expect(runTurn(t.chat.deps, request("hello"))).rejects.toMatchObject({ code: "unavailable" });
    const calls = t.chat.metrics.filter(({ kind, user: of }) => kind === "llm.call" && of === user);
    expect(calls).toMatchObject([{ dimensions: { model: "model-a", plan: "free" }, error: "unavailable" }]);
  });

  it("is counted without the name of a model that the deployment does not know, which may be any text", async () => {
    t.fake.always({ status: 429 });
    const asked = request("hello", { model: "my name is Ann" });
    await expect(runTurn(t.chat.deps, asked)).rejects.toMatchObject({ code: "unavailable" });
    const calls = t.chat.metrics.filter(({ kind, user: of }) => kind === "llm.call" && of === user);
    expect(calls).toMatchObject([{ dimensions: { model: "unknown", plan: "free" }, error: "unavailable" }]);
  });

  it("because no model answers no longer counts as running", async () => {
    t.fake.always({ status: 429 });
    await expect(runTurn(t.chat.deps, request("hello"))).rejects.toMatchObject({ code: "unavailable" });
    const state = await readSession(t.chat.deps, session());
    expect(state).toMatchObject({ kind: "active", record: { message_count: 1 } });
    expect(state.kind === "active" && state.record.turns).toBeUndefined();
  });

  it("because its context cannot be read no longer counts as running", async () => {
    await t.world.create(user, "s40", 3600, 40);
    const messages = { ...t.chat.deps.messages, window: () => Promise.reject(new Error("the store fails")) };
    const asked = { ...request("hello"), session: { user, id: "s40" } };
    await expect(startTurn({ ...t.chat.deps, messages }, asked)).rejects.toThrow();
    const state = await readSession(t.chat.deps, { user, id: "s40" });
    expect(state.kind === "active" && state.record.turns).toBeUndefined();
    expect(t.fake.requests).toHaveLength(0);
  });

  it("because its claim is refused gives back what it has reserved", async () => {
    const claim = () => Promise.reject(new AppError("idempotency_mismatch", "another request"));
    const refused = request("hello", { claims: { ...unkept, claim } });
    await expect(startTurn(t.chat.deps, refused)).rejects.toMatchObject({ code: "idempotency_mismatch" });
    expect(await spent()).toBe(0);
  });

  it("because the model breaks off is counted as failed in the metrics", async () => {
    t.fake.next({ resetAfter: 2, perToken: 30 });
    const turn = await startTurn(t.chat.deps, request("one two three"));
    await expect(textOf(turn)).rejects.toMatchObject({ code: "bad_gateway" });
    const calls = () => t.chat.metrics.filter(({ kind, user: of }) => kind === "llm.call" && of === user);
    expect(calls().map(({ error }) => error)).toEqual(["bad_gateway"]);
    await runTurn(t.chat.deps, request("again"));
    expect(calls().map(({ error }) => error)).toEqual(["bad_gateway", undefined]);
  });

  it("because its answer cannot be stored lets a repeat run", async () => {
    const turns = { ...t.chat.deps.turns, save: () => Promise.reject(new Error("the store fails")) };
    const release = vi.fn(async () => undefined);
    const claim = async () => ({ kind: "first" as const, identity: { seed: user, at: t.world.stores.clock() } });
    const turn = await startTurn(
      { ...t.chat.deps, turns },
      request("hello", { claims: { ...unkept, claim, release } }),
    );
    await expect(textOf(turn)).rejects.toMatchObject({ code: "internal" });
    await turn.done;
    expect(release).toHaveBeenCalledTimes(1);
  });
});

describe("a turn that is repeated", () => {
  const identity = () => ({ seed: user, at: t.world.stores.clock() });

  it("after it has ended costs nothing", async () => {
    const first = await runTurn(
      t.chat.deps,
      request("hello", { claim: { kind: "first", identity: identity() } } as object),
    );
    const before = await spent();
    const again = await runTurn(
      t.chat.deps,
      request("hello", { claim: { kind: "taken", identity: identity() } } as object),
    );
    expect(again.turn.id).toBe(first.turn.id);
    expect(await spent()).toBe(before);
  });

  it("and takes over after other turns reads their messages", async () => {
    let asked = 0;
    const claim = async () => {
      if (asked++ === 0) return { kind: "followed" as const, identity: identity() };
      t.world.advance(1);
      await runTurn(t.chat.deps, request("meanwhile"));
      return { kind: "taken" as const, identity: identity() };
    };
    await runTurn(t.chat.deps, request("hello", { claims: { ...unkept, claim } }));
    expect(t.fake.requests.at(-1)!.messages.map(({ content }) => content)).toContain("You said: meanwhile");
  });
});

describe("the memories of a turn", () => {
  it("are not those of messages that the model reads anyway", async () => {
    await runTurn(t.chat.deps, request("earlier"));
    const [question] = await stored();
    const recall = async () => [memory(question!.id), memory("elsewhere")];
    const { turn } = await runTurn({ ...t.chat.deps, recall }, request("now", { memory: true }));
    expect(turn.memories.map(({ message_id }) => message_id)).toEqual(["elsewhere"]);
  });

  it("are not looked for when the request does not want them", async () => {
    const recall = vi.fn(async () => [memory("elsewhere")]);
    await runTurn({ ...t.chat.deps, recall }, request("now", { memory: false }));
    expect(recall).not.toHaveBeenCalled();
  });

  it("are none when the user has switched memory off", async () => {
    const recall = async () => [memory("elsewhere")];
    const turnOf = async (on: boolean) =>
      (await runTurn({ ...t.chat.deps, recall }, request(`on: ${on}`, { memory: async () => on }))).turn.memories
        .length;
    expect([await turnOf(true), await turnOf(false)]).toEqual([1, 0]);
  });

  it("are left out when they take too long", async () => {
    const recall = () => new Promise<never>(() => undefined);
    const began = performance.now();
    await runTurn({ ...t.chat.deps, recall }, request("now", { memory: true }));
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});

describe("an answer that takes long", () => {
  it("ends 5 s before the function does, so that it can be stored", async () => {
    t.fake.next({ perToken: 400, text: "one two three four five six seven eight nine ten" });
    const turn = await startTurn(t.chat.deps, request("count", { deadline: t.world.stores.clock() + 6000 }));
    await expect(textOf(turn)).rejects.toMatchObject({ code: "bad_gateway" });
    expect((await stored())[1]).toMatchObject({ status: "incomplete" });
  });

  it("is stored although its partial text cannot be saved", async () => {
    let saves = 0;
    // Not a mock: those handle rejections, and an unhandled one has to fail the test.
    const saveText = async () => {
      saves++;
      throw new Error("the store fails");
    };
    t.fake.next({ perToken: 600, text: "one two three four five" });
    const deps = { ...t.chat.deps, turns: { ...t.chat.deps.turns, saveText } };
    expect((await runTurn(deps, request("count"))).text).toBe("one two three four five");
    expect(saves).toBeGreaterThan(0);
  });

  it("is followed until the time of the follower's request is over", async () => {
    t.fake.next({ perToken: 300, text: "one two three four five six seven eight" });
    const turn = await startTurn(t.chat.deps, request("count"));
    const followed = await followTurn(t.chat.deps, session(), turn.id, t.world.stores.clock() - 1);
    await expect(textOf(followed!)).rejects.toMatchObject({ code: "unavailable", retryAfter: 1 });
    await turn.done;
  });
});

describe("following a turn", () => {
  it("is by the id of its answer, not of its question", async () => {
    await runTurn(t.chat.deps, request("hello"));
    const [question] = await stored();
    expect(await followTurn(t.chat.deps, session(), question!.id, t.world.stores.clock() + 1000)).toBeNull();
  });
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { answered } from "../../../shared/chat/end-turn.ts";
import { followTurn } from "../../../shared/chat/follow-turn.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import type { Claim } from "../../../shared/idempotency/claim.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { type MessageRecord, timeOrderedId } from "../../../shared/session/message.ts";
import type { Stored } from "../../../shared/session/store.ts";
import { runTurn, turnRequest } from "../../support/chat-world.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat();
let count = 0;
let id = "";
let stored: Stored[] = [];

beforeEach(async () => {
  id = `counted-${count++}`;
  stored = [];
  await t.world.create("ann", id, 3600);
});

const session = () => ({ user: "ann", id });
const request = (content: string, more: Partial<Parameters<typeof turnRequest>[4]> = {}) =>
  turnRequest(t.chat.deps, "ann", id, content, { onStored: (one) => void stored.push(one), ...more });
const transcript = async () => {
  const { messages } = await listMessages(t.chat.deps, session(), { order: "asc", limit: 100 });
  return messages.map(({ role, content, status }) => [role, content, ...(status ? [status] : [])]);
};
const header = async () => (await t.world.stores.sessions.find(session()))!;
const storedMessages = () => stored.reduce((sum, { messages = 0 }) => sum + messages, 0);

/** A turn whose function dies after it has stored its question, and perhaps a part of its answer, or all of it. */
async function die(
  left: { part?: string; answer?: string } = {},
  identity = { seed: randomUUID(), at: t.world.stores.clock() },
): Promise<string> {
  const [questionId, answer] = [timeOrderedId(identity, 0xffe), timeOrderedId(identity, 0xfff)];
  const created_at = new Date(identity.at).toISOString();
  const question: MessageRecord = { id: questionId, role: "user", content: "asked by the dead", created_at };
  const [record, now] = [await header(), t.world.stores.clock()];
  await t.chat.deps.turns.begin({
    record,
    question,
    answer,
    branch: 0,
    isAgain: false,
    now,
    until: now + 20_000,
    dead: [],
  });
  const turn = { ...session(), generation: record.generation, answer };
  if (left.part !== undefined) await t.chat.deps.turns.saveText(turn, { text: left.part, model: "model-a" }, now);
  if (left.answer !== undefined) {
    await t.chat.deps.turns.save(turn, {
      id: answer,
      role: "assistant",
      content: left.answer,
      model: "model-a",
      usage: { input_tokens: 9, output_tokens: 3, cost_usd: 0 },
      created_at,
      status: "complete",
    });
  }
  t.world.advance(25_000);
  return answer;
}

describe("a turn whose function has died", () => {
  it.each([
    ["its question", {}, [["user", "asked by the dead"]], 2],
    [
      "a part of its answer",
      { part: "half of it" },
      [
        ["user", "asked by the dead"],
        ["assistant", "half of it", "incomplete"],
      ],
      3,
    ],
    [
      "its whole answer",
      { part: "half of it", answer: "all of it" },
      [
        ["user", "asked by the dead"],
        ["assistant", "all of it", "complete"],
      ],
      2,
    ],
  ] as const)("and has left %s is counted by the next turn, which reads it", async (_what, left, messages, told) => {
    await die(left);
    await runTurn(t.chat.deps, request("next"));
    expect(await transcript()).toEqual([...messages, ["user", "next"], ["assistant", "You said: next", "complete"]]);
    expect(await header()).toMatchObject({ message_count: messages.length + 2 });
    expect((await header()).turns ?? {}).toEqual({});
    expect(t.fake.requests.at(-1)?.messages.map(({ content }) => content)).toEqual([
      "Be brief.",
      ...messages.map(([, content]) => content),
      "next",
    ]);
    // What the dead turn had stored itself, its own function would have told.
    expect(storedMessages()).toBe(told);
  });

  it("is counted once by turns that find it at the same time", async () => {
    await die({ part: "half of it" });
    await die();
    await Promise.all(Array.from({ length: 5 }, (_, n) => runTurn(t.chat.deps, request(`next ${n}`))));
    const messages = await transcript();
    expect(messages).toHaveLength(3 + 10);
    expect(await header()).toMatchObject({ message_count: 13 });
    expect(storedMessages()).toBe(11);
  });

  it("gives the saved part to a client that asks for its answer, and stores that part once", async () => {
    const answer = await die({ part: "half of it" });
    const onStored = (one: Stored) => void stored.push(one);
    for (let n = 0; n < 2; n++) {
      const turn = await followTurn(t.chat.deps, session(), answer, t.world.stores.clock() + 5000, onStored);
      const texts: string[] = [];
      const reading = (async () => {
        for await (const event of turn!.events()) if (event.kind === "text") texts.push(event.text);
      })();
      await expect(reading).rejects.toMatchObject({ code: "bad_gateway" });
      expect(texts.join("")).toBe("half of it");
    }
    expect(storedMessages()).toBe(1);
  });

  it("is continued by a repeat of its request, which does not treat it as dead", async () => {
    const identity = { seed: randomUUID(), at: t.world.stores.clock() };
    await die({}, identity);
    const found: string[][] = [];
    const { turns } = t.chat.deps;
    const begin: typeof turns.begin = (begun) => {
      found.push(begun.dead.map(({ answer }) => answer));
      return turns.begin(begun);
    };
    const repeat = request("asked by the dead", { claim: { kind: "taken", identity } });
    await runTurn({ ...t.chat.deps, turns: { ...turns, begin } }, repeat);
    // DynamoDB refuses an update that sets and removes the same attribute: the mark of this very turn.
    expect(found).toEqual([[]]);
    expect(await transcript()).toEqual([
      ["user", "asked by the dead"],
      ["assistant", "You said: asked by the dead", "complete"],
    ]);
    expect(await header()).toMatchObject({ message_count: 2 });
  });

  it("does not count as dead for an instance whose clock is a little ahead", async () => {
    const gate = Promise.withResolvers<void>();
    t.fake.next({ until: gate.promise });
    const first = startTurn(t.chat.deps, request("slow", { deadline: t.world.stores.clock() + 20_000 }));
    await expect.poll(async () => Object.keys((await header()).turns ?? {})).toHaveLength(1);
    t.world.advance(19_900);
    const ahead = { ...t.chat.deps, clock: () => t.world.stores.clock() + 900 };
    await runTurn(ahead, request("meanwhile"));
    gate.resolve();
    await (await first).done;
    expect(await header()).toMatchObject({ message_count: 4 });
    expect((await header()).turns ?? {}).toEqual({});
  });
});

describe("a turn that is repeated after it has failed", () => {
  const attempt = (claim: Claim) => request("hello", { claim });

  it("counts its question once, and its answer once it is there", async () => {
    const identity = { seed: randomUUID(), at: t.world.stores.clock() };
    for (const kind of ["first", "first", "taken"] as const) {
      t.fake.next({ status: 400 });
      await expect(startTurn(t.chat.deps, attempt({ kind, identity }))).rejects.toMatchObject({ code: "bad_request" });
      expect(await header()).toMatchObject({ message_count: 1 });
    }
    await runTurn(t.chat.deps, attempt({ kind: "first", identity }));
    expect(await transcript()).toEqual([
      ["user", "hello"],
      ["assistant", "You said: hello", "complete"],
    ]);
    expect(await header()).toMatchObject({ message_count: 2 });
    expect(storedMessages()).toBe(2);
  });

  it("is ended once: a later attempt counts nothing", async () => {
    const identity = { seed: randomUUID(), at: t.world.stores.clock() };
    const { turn } = await runTurn(t.chat.deps, attempt({ kind: "first", identity }));
    const record = await header();
    const ended = { ...session(), generation: record.generation, answer: turn.id };
    expect(await t.chat.deps.turns.close(ended, record, answered(ended), t.world.stores.clock())).toBe(false);
    expect(await header()).toEqual(record);
  });

  it("counts neither again when it was answered already", async () => {
    const identity = { seed: randomUUID(), at: t.world.stores.clock() };
    await runTurn(t.chat.deps, attempt({ kind: "first", identity }));
    await runTurn(t.chat.deps, attempt({ kind: "taken", identity }));
    expect(t.fake.requests).toHaveLength(1);
    expect(await header()).toMatchObject({ message_count: 2 });
    expect(storedMessages()).toBe(2);
  });
});

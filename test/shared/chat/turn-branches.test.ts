import { beforeEach, describe, expect, it } from "vitest";
import { askAgain } from "../../../shared/chat/ask-again.ts";
import { startTurn } from "../../../shared/chat/start-turn.ts";
import { createRecall } from "../../../shared/memory/recall.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { toSession } from "../../../shared/session/session.ts";
import { runTurn, turnRequest } from "../../support/chat-world.ts";
import { callDeltas } from "../../support/fake-openai.ts";
import { createMemoryWorld } from "../../support/memory-world.ts";
import { useChat } from "../../support/use-chat.ts";

const t = useChat(createMemoryWorld);
let count = 0;
let id = "";

beforeEach(async () => {
  id = `branches-${count++}`;
  await t.world.create("ann", id, 3600);
});

const session = () => ({ user: "ann", id });
/** Runs a turn, later than all before it. Gives the id of its answer. */
async function ask(content: string, more: object = {}): Promise<string> {
  t.world.advance(1000);
  const { turn } = await runTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, content, more));
  return turn.id;
}
const again = async (answer: string) => ask("not used", await askAgain(t.chat.deps, session(), answer));
const list = async (branch = "current") =>
  (await listMessages(t.chat.deps, session(), { order: "asc", limit: 100, branch })).messages;
const contents = async (branch?: string) => (await list(branch)).map(({ content }) => content);
const shown = async () => toSession(await showSession(t.chat.deps, session()), t.world.stores.clock());
/** What the model was asked last, without the system prompt. */
const prompt = () => {
  const { messages = [] } = t.fake.requests.at(-1) ?? {};
  return messages.filter(({ role }) => role !== "system").map(({ content }) => content);
};
const parentOf = async (message: string) => (await list("all")).find((one) => one.id === message)?.parent_id;

/** Sends a request and repeats it. */
async function twice(content: string, more: object): Promise<void> {
  const identity = { seed: content, at: t.world.stores.clock() };
  for (const kind of ["first", "taken"] as const) {
    await runTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, content, { ...more, claim: { kind, identity } }));
  }
}
async function archive(): Promise<void> {
  t.world.advance(3_601_000);
  await t.world.archiveJob({ Records: [(await t.world.sweep("ann", id))!] });
}

describe("a turn that follows an earlier message", () => {
  it("begins a branch, and shows the model only what comes before it", async () => {
    const first = await ask("one");
    await ask("two");
    await ask("three");
    const edited = await ask("two, edited", { parent: first });
    expect(await contents()).toEqual(["one", "You said: one", "two, edited", "You said: two, edited"]);
    expect(prompt()).toEqual(["one", "You said: one", "two, edited"]);
    const [, , question] = await list();
    expect([question?.parent_id, await parentOf(edited)]).toEqual([first, question?.id]);
    expect(await shown()).toMatchObject({ message_count: 8, head_id: edited });
    await ask("four");
    expect((await contents()).slice(3)).toEqual(["You said: two, edited", "four", "You said: four"]);
    expect(prompt()).toEqual(["one", "You said: one", "two, edited", "You said: two, edited", "four"]);
  });

  it.each([
    ["was stored by a function whose clock is ahead", "one", async () => undefined],
    ["the client dated in the future", "future", async () => undefined],
    ["the client dated in the future, in an archived session", "future", archive],
  ])("comes after it, once, when it is one that %s", async (_, name, prepare) => {
    await ask("one");
    const last = { id: `future-${id}`, created_at: "2026-11-22T03:00:00.000Z", content: "future" };
    const fillers = Array.from({ length: 40 }, (_, n) => ({ content: `${n}` }));
    const inputs = [...fillers, last].map((message) => ({ role: "user" as const, ...message }));
    await appendMessages(t.chat.deps, session(), inputs, { seed: id, at: t.world.stores.clock() });
    const parent = (await list()).find(({ content }) => content === name)?.id;
    await prepare();
    t.world.advance(-5000);
    await twice("edit", { parent });
    const shown = await contents();
    expect(shown.slice(-3)).toEqual([name, "edit", "You said: edit"]);
    await twice("not used", await askAgain(t.chat.deps, session(), (await list()).at(-1)!.id));
    const all = await list("all");
    expect([await contents(), all.length]).toEqual([shown, 46]);
    for (const [n, { parent_id }] of all.entries()) {
      expect(parent_id === null || all.slice(0, n).some((before) => before.id === parent_id)).toBe(true);
    }
  });

  it("is not the place of a turn that began before that message", async () => {
    await ask("one");
    const [one] = await list();
    await ask("edit", { parent: one?.id });
    // The clock of this function is behind.
    t.world.advance(-2500);
    await ask("earlier");
    expect(await contents()).toEqual(["earlier", "You said: earlier", "one", "edit", "You said: edit"]);
    const all = await list("all");
    for (const [n, { parent_id }] of all.entries()) {
      expect(parent_id === null || all.slice(0, n).some((before) => before.id === parent_id)).toBe(true);
    }
  });

  it("shows the model a full window of the branch, however much lies on other branches", async () => {
    const inputs = Array.from({ length: 40 }, (_, n) => ({ id: `${n}-${id}`, role: "user" as const, content: `${n}` }));
    await appendMessages(t.chat.deps, session(), inputs, { seed: id, at: t.world.stores.clock() });
    await ask("edit", { parent: `20-${id}` });
    const limit = t.chat.deps.settings.maxMessages;
    expect(prompt()).toEqual([...inputs.slice(0, 21).map(({ content }) => content), "edit"].slice(-limit));
  });

  it("gives the results of tools that this message calls, whatever the current branch says", async () => {
    const part = { type: "tool_result" as const, tool_call_id: "call-1", output: "sunny" };
    const results = { question: { role: "tool" as const, content: "", parts: [part] } };
    t.fake.next({ pieces: callDeltas([{ id: "call-1", name: "weather", input: "{}" }]), finish: "tool_calls" });
    const calling = await ask("How is Rome?");
    await ask("How is Oslo?", { parent: null });
    const refused = { code: "validation_failed", fields: [{ path: "parts.0.tool_call_id" }] };
    await expect(ask("", results)).rejects.toMatchObject(refused);
    await expect(ask("", { ...results, parent: null })).rejects.toMatchObject(refused);
    const answer = await ask("", { ...results, parent: calling });
    await expect(ask("", results)).rejects.toMatchObject(refused);
    expect((await list()).map(({ role }) => role)).toEqual(["user", "assistant", "tool", "assistant"]);
    // Another result of the same call is on another branch.
    const other = { ...results.question, parts: [{ ...part, output: "rainy" }] };
    await ask("", { question: other, parent: calling });
    expect(prompt().at(-1)).toBe("rainy");
    await again(answer);
    expect(prompt().at(-1)).toBe("sunny");
    expect(await list("all")).toHaveLength(9);
  });

  it("recalls no memory of the branch that it leaves, even before that is removed", async () => {
    const deps = { ...t.chat.deps, recall: createRecall(t.world.deps) };
    const turn = async (content: string, more: object = {}) => {
      t.world.advance(1000);
      return (await runTurn(deps, turnRequest(deps, "ann", id, content, { ...more, memory: true }))).turn;
    };
    const first = await turn("My parrot is called Rio.");
    await turn("My parrot eats seeds.");
    await t.world.deliver("ann", id);
    const recalled = async (more: object) => (await turn("What about my parrot?", more)).memories;
    const others = Array.from({ length: 40 }, () => ({ role: "user" as const, content: "!" }));
    const parent = others.map((_, n) => `filler-${n}-${id}`).at(-1);
    await appendMessages(
      deps,
      session(),
      others.map((message, n) => ({
        ...message,
        id: `filler-${n}-${id}`,
        ...(n === 0 ? { parent_id: first.id } : {}),
      })),
      { seed: "filler", at: t.world.stores.clock() },
    );
    const after = await recalled({ parent });
    expect(after.map(({ content }) => content)).toContain("My parrot is called Rio.");
    expect(after.map(({ content }) => content)).not.toContain("My parrot eats seeds.");
    expect(after.every((memory) => !("branch" in memory))).toBe(true);
    const other = "elsewhere";
    await t.world.create("ann", other, 3600);
    const { turn: elsewhere } = await runTurn(
      deps,
      turnRequest(deps, "ann", other, "And my parrot?", { memory: true }),
    );
    expect(elsewhere.memories.map(({ content }) => content)).toContain("My parrot eats seeds.");
  });

  it("that is null begins the conversation again", async () => {
    await ask("one");
    const answer = await ask("other", { parent: null });
    expect([prompt(), await contents()]).toEqual([["other"], ["other", "You said: other"]]);
    expect((await shown()).head_id).toBe(answer);
  });

  it("that is the last one begins no branch", async () => {
    const first = await ask("one");
    await ask("two", { parent: first });
    expect(await contents("all")).toEqual(["one", "You said: one", "two", "You said: two"]);
    expect((await t.world.stores.sessions.find(session()))?.branch).toBeUndefined();
  });

  it("is refused and changes nothing when the session does not have that message", async () => {
    await ask("one");
    const before = await shown();
    const asked = t.fake.requests.length;
    await expect(ask("two", { parent: "none" })).rejects.toMatchObject({ fields: [{ path: "parent_id" }] });
    expect([await shown(), await contents("all"), t.fake.requests.length]).toEqual([
      before,
      ["one", "You said: one"],
      asked,
    ]);
  });

  it("is refused and creates no session when the session does not exist", async () => {
    id = `none-${id}`;
    const refused = ask("two", { parent: "none", create: true });
    await expect(refused).rejects.toMatchObject({ code: "validation_failed", fields: [{ path: "parent_id" }] });
    await expect(list()).rejects.toMatchObject({ code: "not_found" });
  });

  it("of two at once gives two branches, each with its answer", async () => {
    const first = await ask("one");
    await ask("two");
    t.world.advance(1000);
    await Promise.all(
      ["left", "right"].map((content) =>
        runTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, content, { parent: first })),
      ),
    );
    const all = await list("all");
    expect(
      all
        .filter(({ parent_id }) => parent_id === first)
        .map(({ content }) => content)
        .sort(),
    ).toEqual(["left", "right", "two"]);
    for (const content of ["left", "right"]) {
      const question = all.find((one) => one.content === content);
      expect(all.find((one) => one.parent_id === question?.id)?.content).toBe(`You said: ${content}`);
    }
    expect(await contents()).toHaveLength(4);
    expect((await shown()).message_count).toBe(8);
  });
});

describe("a message that is answered again", () => {
  it("gets another answer on a branch of its own, and is not stored again", async () => {
    const first = await ask("one");
    await ask("two");
    const second = await again(first);
    expect(await contents()).toEqual(["one", "You said: one"]);
    expect(prompt()).toEqual(["one"]);
    const [question] = await list();
    expect([await parentOf(first), await parentOf(second)]).toEqual([question?.id, question?.id]);
    expect((await list()).at(-1)?.id).toBe(second);
    expect(await shown()).toMatchObject({ message_count: 5, head_id: second });
    const third = await again(second);
    expect([await parentOf(third), (await list()).length]).toEqual([question?.id, 2]);
    await ask("three");
    expect(await contents()).toEqual(["one", "You said: one", "three", "You said: three"]);
    expect((await shown()).message_count).toBe(8);
  });

  it("counts as one message while the answer is being given, and when it fails", async () => {
    const first = await ask("one");
    t.fake.next({ delay: 200 });
    t.world.advance(1000);
    const running = startTurn(
      t.chat.deps,
      turnRequest(t.chat.deps, "ann", id, "x", await askAgain(t.chat.deps, session(), first)),
    );
    while (t.fake.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await shown()).message_count).toBe(2);
    await (await running).done;
    expect((await shown()).message_count).toBe(3);
    t.fake.always({ status: 400 });
    await expect(again(first)).rejects.toThrow();
    expect((await shown()).message_count).toBe(3);
    expect(await contents()).toEqual(["one"]);
  });

  it("is refused and creates no session when the session is deleted after the message was found", async () => {
    const again = await askAgain(t.chat.deps, session(), await ask("one"));
    await deleteSession(t.world.stores, session());
    await expect(ask("x", { ...again, create: true })).rejects.toMatchObject({ code: "not_found" });
    await expect(list()).rejects.toMatchObject({ code: "not_found" });
  });

  it.each(["none", "a question", "an answer of another session"])("is refused for %s", async (what) => {
    await ask("one");
    const [question] = await list();
    const other = `other-${id}`;
    await t.world.create("ann", other, 3600);
    const { turn } = await runTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", other, "x"));
    const answer = what === "none" ? "none" : what === "a question" ? question!.id : turn.id;
    const fields = [{ path: "regenerate", message: "is not the id of an answer of this session" }];
    await expect(askAgain(t.chat.deps, session(), answer)).rejects.toMatchObject({ fields });
    await expect(askAgain(t.chat.deps, { user: "bob", id }, answer)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("a turn whose session changes its branch", () => {
  it("stores its answer on the branch that it began on, and leaves the head where it is", async () => {
    const first = await ask("one");
    t.fake.next({ delay: 200 });
    t.world.advance(1000);
    const running = startTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, "two"));
    while (t.fake.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await patchSession(t.chat.deps, session(), { head_id: first }, undefined);
    const turn = await running;
    await turn.done;
    expect([await contents(), (await shown()).head_id]).toEqual([["one", "You said: one"], first]);
    expect(await contents(turn.id)).toEqual(["one", "You said: one", "two", "You said: two"]);
    expect((await shown()).message_count).toBe(4);
  });
});

it("a turn whose question is deleted while it runs leaves no answer", async () => {
  await ask("one");
  t.fake.next({ delay: 200 });
  t.world.advance(1000);
  const running = startTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, "two"));
  while (t.fake.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await deleteMessage(t.chat.deps, session(), (await list()).at(-1)!.id);
  await (await running).done;
  const left = ["one", "You said: one"];
  expect([await contents("all"), await t.world.hot("ann", id), (await shown()).message_count]).toEqual([left, left, 2]);
});

describe("a turn that begins a branch, repeated after a crash at any of its calls,", () => {
  it.each(["edit", "regenerate"])(
    "%s: has one branch and one answer, and every message is counted",
    async (what) => {
      for (const kind of ["before", "after"] as const) {
        for (let step = 0; ; step++) {
          id = `crash-${what}-${kind}-${step}`;
          await t.world.create("ann", id, 3600);
          const first = await ask("one");
          await ask("two");
          t.world.advance(1000);
          const identity = { seed: id, at: t.world.stores.clock() };
          const more = what === "edit" ? { parent: first } : await askAgain(t.chat.deps, session(), first);
          const attempt = (claim: "first" | "taken") => {
            const claims = {
              claim: async () => ({ kind: claim, identity }),
              keep: async () => {},
              release: async () => {},
            };
            return runTurn(t.chat.deps, turnRequest(t.chat.deps, "ann", id, "edited", { ...more, claims }));
          };
          const crashed = await t.world.crashing(step, kind, () => attempt("first"));
          // Until then the turn may still be running.
          t.world.advance(120_000);
          const { turn } = await attempt("taken");
          const expected = what === "edit" ? ["one", "You said: one", "edited"] : ["one"];
          expect([step, (await contents()).slice(0, expected.length)]).toEqual([step, expected]);
          expect((await list()).map((one) => one.id).filter((one) => one === turn.id)).toHaveLength(1);
          // The next turn counts what a dead one has stored.
          await ask("next");
          const all = await list("all");
          expect([step, all.length, (await shown()).message_count]).toEqual([
            step,
            6 + (what === "edit" ? 2 : 1),
            all.length,
          ]);
          const { generation } = (await t.world.stores.sessions.find(session()))!;
          expect((await t.world.stores.messages.tree(session(), generation)).branches).toHaveLength(2);
          await t.world.drop("ann", id);
          if (!crashed) break;
        }
      }
    },
    120_000,
  );
});

it("a turn of a session that never branched makes the calls and consumes what it did before there were branches", async () => {
  const header = async () => (await t.world.stores.sessions.find(session()))!;
  await ask("one");
  const calls = await t.world.counting(() => ask("two"));
  expect(calls).toBe(6);
  expect(await header()).toMatchObject({ message_count: 4 });
  expect((await header()).branch).toBeUndefined();
});

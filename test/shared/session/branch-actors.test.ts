/** Runs a whole operation of one actor at every call of another, on a session with branches, for all pairs with an operation on branches. */
import { describe, expect, it, vi } from "vitest";
import { askAgain } from "../../../shared/chat/ask-again.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { timeOrderedId } from "../../../shared/session/message.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { contentsOf, expectQuiet, expectSound, ok } from "../../support/session-checks.ts";
import { createStages, SESSION, type Stage, TTL } from "../../support/session-stage.ts";

for (const level of ["log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
vi.mock("../../../shared/clock.ts", async (original) => ({
  ...(await original<object>()),
  backOff: async () => undefined,
}));

/** Says a message with an id of its own. */
async function say(stage: Stage, id: string, parent_id?: string | null): Promise<void> {
  stage.advance(1);
  const role = id.toLowerCase() === "b" ? ("assistant" as const) : ("user" as const);
  const message = { id, role, content: `lantern ${id}`, ...(parent_id === undefined ? {} : { parent_id }) };
  await appendMessages(stage.stores, SESSION, [message], { seed: id, at: stage.stores.clock() });
}
const select = async ({ stores }: Stage, head_id: string) =>
  void (await patchSession(stores, SESSION, { head_id }, undefined));

/** What changes branches. */
const BRANCHING = {
  edit: (stage: Stage) => say(stage, "edited", "a"),
  "another edit": (stage: Stage) => say(stage, "also edited", "a"),
  beginning: (stage: Stage) => say(stage, "begun", null),
  "switch to c": (stage: Stage) => select(stage, "c"),
  "switch to C": (stage: Stage) => select(stage, "C"),
  "switch into the middle": (stage: Stage) => select(stage, "b"),
  "switch to the first": (stage: Stage) => select(stage, "a"),
  "deletion of b": ({ stores }: Stage) => deleteMessage(stores, SESSION, "b"),
  "deletion of B": ({ stores }: Stage) => deleteMessage(stores, SESSION, "B"),
  "edited turn": (stage: Stage) => stage.turn("lantern turn", { parent: "a" }),
  "answer again": async (stage: Stage) => {
    const { asked } = await askAgain(stage.stores, SESSION, "b");
    return stage.turn("lantern a", { asked });
  },
};
const operation = (name: keyof Stage["operations"]) => (stage: Stage) => stage.operations[name]();
const ACTS = {
  ...BRANCHING,
  append: (stage: Stage) => say(stage, "appended"),
  reply: (stage: Stage) => say(stage, "replied", "C"),
  turn: (stage: Stage) => stage.turn("lantern question"),
  restore: operation("restore"),
  reset: operation("reset"),
  delete: operation("delete"),
  archive: operation("archive"),
  reconcile: operation("reconcile"),
  remember: operation("remember"),
  expire: operation("expire"),
  patch: operation("patch"),
};
type Act = keyof typeof ACTS;
/** Other actors on an archived session, each of whose meetings takes many calls. */
const MEETING: readonly Act[] = ["edit", "switch to c", "deletion of b", "edited turn", "restore", "delete"];
const TURNS: readonly string[] = ["turn", "edited turn", "answer again"];
const REMOVING: ReadonlySet<Act> = new Set(["delete", "reset", "deletion of b", "deletion of B"] as const);

/** Where the session is when the two meet. A branch that is not current has messages, too. */
const STATES: Record<string, (stage: Stage) => Promise<void>> = {
  "not branched": async (stage) => {
    await stage.create();
    for (const id of ["a", "b", "c", "C"]) await say(stage, id);
  },
  branched: async (stage) => {
    await stage.create();
    for (const id of ["a", "b", "c"]) await say(stage, id);
    await say(stage, "B", "a");
    await stage.rememberAll();
    await say(stage, "C");
  },
  archived: async (stage) => {
    await STATES.branched?.(stage);
    stage.advance((TTL + 1) * 1000);
    await stage.sweep();
    await stage.archive();
  },
};
const stageIn = createStages(STATES);

/** What both answered, each message with its parent, and the current branch. */
async function outcomeOf(stage: Stage, answers: readonly string[]): Promise<string> {
  const [all, current] = [await stage.messages("all"), await stage.messages("current")];
  const contentOf = new Map(all?.map(({ id, content }) => [id, content.replace(/answer \d+$/, "answer")]));
  const name = (id: string | null) => (id === null ? "" : (contentOf.get(id) ?? "?"));
  const edges = all?.map(({ id, parent_id }) => `${name(parent_id)} > ${name(id)}`).toSorted();
  return JSON.stringify([...answers, edges, current?.map(({ id }) => name(id))]);
}

/** The outcomes of the two in a row, or only what both answered. */
async function serialOutcomes(state: string, first: Act, second: Act, answersOnly: boolean): Promise<Set<string>> {
  const outcomes = new Set<string>();
  for (const isReversed of [false, true]) {
    const stage = await stageIn(state);
    const answers: string[] = [];
    for (const act of isReversed ? [second, first] : [first, second]) answers.push(await ok(() => ACTS[act](stage)));
    const inOrder = isReversed ? answers.toReversed() : answers;
    outcomes.add(answersOnly ? JSON.stringify(inOrder) : await outcomeOf(stage, inOrder));
  }
  return outcomes;
}

describe.each(Object.keys(STATES))("two concurrent requests on a session that is %s", (state) => {
  it.each(Object.keys(ACTS) as Act[])(
    "agree on its branches, when one runs at any call of the other: %s",
    async (first) => {
      const others = state === "archived" ? MEETING : (Object.keys(ACTS) as Act[]);
      for (const second of others.filter((one) => first in BRANCHING || one in BRANCHING)) {
        const isTurn = TURNS.includes(first);
        // A turn whose messages are deleted while it runs is refused. In a row, it would be whole.
        const serial = isTurn && REMOVING.has(second) ? null : await serialOutcomes(state, first, second, isTurn);
        for (let n = 0; ; n++) {
          const stage = await stageIn(state);
          const before = (await contentsOf(stage)) ?? [];
          const answers = await stage.interleaved(
            n,
            () => ok(() => ACTS[first](stage)),
            () => ok(() => ACTS[second](stage)),
          );
          if (!answers) break;
          const what = `${second} at call ${n} of ${first}`;
          const outcome = isTurn ? JSON.stringify(answers) : await outcomeOf(stage, answers);
          if (serial && !serial.has(outcome)) expect(`${what}: ${outcome}`).toBe(`one of ${[...serial].join(" or ")}`);
          await expectKept(
            stage,
            before,
            [first, second].filter((_, at) => answers[at] === "ok"),
            what,
          );
          await expectSound(stage, what);
        }
      }
    },
    120_000,
  );
});

/** What is there stays, and what was acknowledged is there, unless the other actor deletes it. */
async function expectKept(stage: Stage, before: readonly string[], done: readonly Act[], what: string): Promise<void> {
  if (done.some((act) => ["reset", "delete"].includes(act))) return;
  const contents = (await contentsOf(stage)) ?? [];
  const isCut = done.some((act) => act.startsWith("deletion"));
  const said: Partial<Record<Act, string>> = {
    edit: "lantern edited",
    "another edit": "lantern also edited",
    beginning: "lantern begun",
    append: "lantern appended",
    reply: "lantern replied",
    turn: "lantern question",
    "edited turn": "lantern turn",
  };
  const expected = [
    ...(isCut ? ["lantern a"] : before),
    ...done.flatMap((act) => (isCut && mayBeCut(act) ? [] : (said[act] ?? []))),
  ];
  expect(
    expected.filter((content) => !contents.includes(content)),
    `${what}: lost`,
  ).toEqual([]);
}

/** Whether a message may follow one that the other actor deletes. */
const mayBeCut = (act: Act): boolean => ["append", "reply", "turn"].includes(act);

describe("an append that was said before the first message of the current branch", () => {
  it("follows the end of that branch, once, however often it is repeated", async () => {
    const stage = await stageIn("not branched");
    const early = { seed: "early", at: stage.stores.clock() };
    await say(stage, "edited", "a");
    for (let attempt = 0; attempt < 3; attempt++) {
      const inputs = ["one", "two"].map((content) => ({ role: "user" as const, content: `lantern ${content}` }));
      const [one, two] = await appendMessages(stage.stores, SESSION, inputs, early);
      expect([one?.parent_id, two?.parent_id]).toEqual(["edited", one?.id]);
      if (attempt === 1) await say(stage, "also edited", "b");
    }
    const listed = async (branch: "current" | "all") => (await stage.messages(branch))?.map(({ content }) => content);
    expect(await listed("all")).toEqual(
      ["a", "b", "c", "C", "edited", "one", "two", "also edited"].map((name) => `lantern ${name}`),
    );
    expect(await listed("current")).toEqual(["lantern a", "lantern b", "lantern also edited"]);
    await expectQuiet(stage, "repeated");
  });

  it("keeps the order of its messages when another request of the same millisecond is stored first", async () => {
    const stage = await stageIn("branched");
    stage.advance(1);
    const at = stage.stores.clock();
    // The ids of the request that is stored first are lower, so only the first message comes before the head.
    const [first = "", second = ""] = ["one", "two"].toSorted((a, b) =>
      timeOrderedId({ seed: a, at }, 1) < timeOrderedId({ seed: b, at }, 1) ? -1 : 1,
    );
    for (const seed of [first, second]) {
      const inputs = [1, 2].map((n) => ({ role: "user" as const, content: `${seed} ${n}` }));
      await appendMessages(stage.stores, SESSION, inputs, { seed, at });
    }
    const contents = (await stage.messages("current"))?.map(({ content }) => content).slice(-4);
    expect(contents).toEqual([first, first, second, second].map((seed, n) => `${seed} ${(n % 2) + 1}`));
  });

  it("is not refused for its chosen times once a part of it is stored", async () => {
    const stage = await stageIn("not branched");
    await say(stage, "edited", "a");
    const at = stage.stores.clock();
    const inputs = Array.from({ length: 90 }, (_, n) => {
      const created_at = new Date(at + 1 + n).toISOString();
      return { id: `m${n}`, role: "user" as const, content: `lantern ${n}`, created_at };
    });
    const { append } = stage.stores.messages;
    let calls = 0;
    vi.spyOn(stage.stores.messages, "append").mockImplementation(async (request) => {
      if (++calls === 2) {
        stage.advance(10_000);
        const other = { id: "other", role: "user" as const, content: "lantern other", parent_id: "b" };
        await appendMessages({ ...stage.stores, messages: { ...stage.stores.messages, append } }, SESSION, [other], {
          seed: "other",
          at: stage.stores.clock(),
        });
      }
      return append(request);
    });
    await appendMessages(stage.stores, SESSION, inputs, { seed: "many", at });
    const contents = await contentsOf(stage);
    expect(inputs.filter(({ content }) => !contents?.includes(content))).toEqual([]);
    expect(calls).toBe(3);
  });

  it("is stored once, when the same request comes again at any of its calls", async () => {
    for (let n = 0; ; n++) {
      const stage = await stageIn("not branched");
      const early = { seed: "early", at: stage.stores.clock() };
      await say(stage, "edited", "a");
      const message = { role: "user" as const, content: "lantern one" };
      const attempt = () => ok(() => appendMessages(stage.stores, SESSION, [message], early));
      const answers = await stage.interleaved(n, attempt, attempt);
      if (!answers) break;
      const current = (await stage.messages("current"))?.map(({ content }) => content);
      expect([n, answers, current]).toEqual([n, ["ok", "ok"], ["lantern a", "lantern edited", "lantern one"]]);
    }
  });

  it.each([
    // It moves the head, so the repeat gives the message another time.
    [
      "another append",
      ["lantern other"],
      (stage: Stage, attempt: () => Promise<string>) => say(stage, "other").then(attempt),
    ],
    // The repeat stores the message on the other branch, and the head is again what it was.
    [
      "a switch and before the switch back",
      [],
      async (stage: Stage, attempt: () => Promise<string>) => {
        await select(stage, "C");
        const answer = await attempt();
        await select(stage, "edited");
        return answer;
      },
    ],
  ])("is stored once, when the same request comes again after %s, at any of its calls", async (_, said, repeat) => {
    for (let n = 0; ; n++) {
      const stage = await stageIn("not branched");
      const early = { seed: "early", at: stage.stores.clock() };
      await say(stage, "edited", "a");
      const message = { role: "user" as const, content: "lantern one" };
      const attempt = () => ok(() => appendMessages(stage.stores, SESSION, [message], early));
      const answers = await stage.interleaved(n, attempt, () => repeat(stage, attempt));
      if (!answers) break;
      const all = (await contentsOf(stage))?.toSorted();
      const letters = ["C", "a", "b", "c", "edited", "one"].map((letter) => `lantern ${letter}`);
      expect([n, answers, all]).toEqual([n, ["ok", "ok"], [...letters, ...said].toSorted()]);
    }
  });
});

describe("the record of a switch", () => {
  it("removes no memory that a later switch has restored, at whichever call the switch and its record come", async () => {
    for (let n = 0; ; n++) {
      const stage = await stageIn("branched");
      await stage.rememberAll();
      await select(stage, "c");
      const back = async () => {
        await select(stage, "C");
        await stage.rememberTrees();
      };
      if (!(await stage.interleaved(n, stage.rememberTrees, back))) break;
      expect([n, (await stage.recalled()).toSorted()]).toEqual([n, ["lantern B", "lantern C", "lantern a"]]);
    }
  });
});

/** Runs a whole operation of one actor at every call that the operation of another makes, for all pairs, on one session. */
import { describe, expect, it, vi } from "vitest";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { contentsOf, expectQuiet, expectSound, ok } from "../../support/session-checks.ts";
import { createStage, createStages, SESSION, type Stage, TTL } from "../../support/session-stage.ts";

for (const level of ["log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
vi.mock("../../../shared/clock.ts", async (original) => ({
  ...(await original<object>()),
  backOff: async () => undefined,
}));

type Verb = keyof Stage["operations"];
const HOUR = 3_600_000;

/** Where the session is when the two meet. */
const STATES: Record<string, (stage: Stage) => Promise<void>> = {
  hot: async ({ create, say, rememberAll, rememberTombstone }) => {
    await create();
    await rememberTombstone();
    await say("lantern one");
    await rememberAll();
    await say("lantern two");
  },
  limbo: async (stage) => {
    await STATES.hot?.(stage);
    stage.advance((TTL + 1) * 1000);
    await stage.sweep();
  },
  archived: async (stage) => {
    await STATES.limbo?.(stage);
    await stage.archive();
  },
  "archived, with what a dead restore has left": async (stage) => {
    await STATES.archived?.(stage);
    const dying = { ...stage.stores.sessions, transit: () => Promise.reject(new Error("died")) };
    await restoreSession({ ...stage.stores, sessions: dying }, SESSION).catch(() => undefined);
    stage.advance(16 * 60_000);
  },
  restored: async (stage) => {
    await STATES.archived?.(stage);
    await stage.operations.restore();
  },
  deleted: async (stage) => {
    await STATES.archived?.(stage);
    await stage.operations.delete();
    await stage.rememberTombstone();
    stage.advance(2 * HOUR);
  },
  "created again": async (stage) => {
    await STATES.deleted?.(stage);
    await stage.create();
    await stage.say("lantern new");
  },
};
const stageIn = createStages(STATES);

/** What both answered, and what can be read after it. */
async function outcomeOf(stage: Stage, answers: readonly string[]): Promise<string> {
  const readable = await contentsOf(stage);
  return JSON.stringify([...answers, readable?.map(withoutNumber).toSorted()]);
}

const withoutNumber = (content: string): string => content.replace(/ \d+$/, "");

/** What both orders of two whole operations give. */
async function serialOutcomes(state: string, first: Verb, second: Verb): Promise<Set<string>> {
  const outcomes = new Set<string>();
  for (const order of [
    [first, second],
    [second, first],
  ] as const) {
    const stage = await stageIn(state);
    const answers: string[] = [];
    for (const verb of order) answers.push(await ok(stage.operations[verb]));
    if (order[0] === first) outcomes.add(await outcomeOf(stage, answers));
    if (order[1] === first) outcomes.add(await outcomeOf(stage, answers.toReversed()));
  }
  for (const outcome of await splitTurns(state, first, second)) outcomes.add(outcome);
  return outcomes;
}

/** A turn is not one step: it may create its session before the other comes, and fails when its session is deleted under it. */
async function splitTurns(state: string, first: Verb, second: Verb): Promise<string[]> {
  if (first !== "chat") return [];
  const outcomes: string[] = [];
  for (const isCreated of [true, false]) {
    const stage = await stageIn(state);
    if (isCreated) await ok(stage.operations.create);
    const other = await ok(stage.operations[second]);
    if (second === "delete") outcomes.push(await outcomeOf(stage, ["not_found", other]));
    outcomes.push(await outcomeOf(stage, [await ok(stage.operations.chat), other]));
  }
  return outcomes;
}

const VERBS: Verb[] = [
  "append",
  "chat",
  "restore",
  "reset",
  "delete",
  "create",
  "archive",
  "reconcile",
  "remember",
  "purge",
  "expire",
  "patch",
];

describe("a reset that is killed after a message was stored before it", () => {
  it("deletes nothing", async () => {
    const stage = await stageIn("hot");
    let attempts = 0;
    const losing = {
      ...stage.stores.sessions,
      transit: async () => false,
      find: (session: typeof SESSION) => {
        if (attempts++ > 0) throw new Error("died");
        return stage.stores.sessions.find(session);
      },
    };
    const reset = resetSession({ ...stage.stores, sessions: losing }, SESSION, { seed: "reset" });
    await expect(reset).rejects.toThrow("died");
    expect((await contentsOf(stage))?.toSorted()).toEqual(["lantern one", "lantern two"]);
    await expectQuiet(stage, "lost");
  });
});

describe("a reset that is killed after its transaction", () => {
  it.each(["archive", "restore"] as const)("leaves no memory for good when the next step is: %s", async (next) => {
    const stage = await stageIn("hot");
    const dying = { ...stage.stores.memories, forget: () => Promise.reject(new Error("died")) };
    const reset = resetSession({ ...stage.stores, memories: dying }, SESSION, { seed: "reset" });
    await expect(reset).rejects.toThrow("died");
    stage.advance((TTL + 1) * 1000);
    await stage.sweep();
    await stage.archive();
    if (next === "restore") await stage.operations.restore();
    await expectQuiet(stage, next);
    expect((await stage.items()).filter(({ sk }) => String(sk).startsWith("E#"))).toEqual([]);
  });
});

describe.each(Object.keys(STATES))("two concurrent requests on a session that is %s", (state) => {
  it.each(VERBS)(
    "end in the same state as one after the other, when one runs at any call of the other: %s",
    async (first) => {
      for (const second of VERBS) {
        if (isNoOperation(state, first) || isNoOperation(state, second)) continue;
        const serial = await serialOutcomes(state, first, second);
        for (let n = 0; ; n++) {
          const stage = await stageIn(state);
          const { operations } = stage;
          const answers = await stage.interleaved(
            n,
            () => ok(operations[first]),
            () => ok(operations[second]),
          );
          if (!answers) break;
          const what = `${second} at call ${n} of ${first}`;
          const outcome = await outcomeOf(stage, answers);
          if (!serial.has(outcome)) expect(`${what}: ${outcome}`).toBe(`one of ${[...serial].join(" or ")}`);
          await expectSound(stage, what);
        }
      }
    },
    120_000,
  );
});

describe("two concurrent requests on a session whose title comes from its question", () => {
  const deleteFirst = async ({ stores }: Stage) => {
    const { messages } = await listMessages(stores, SESSION, { order: "asc", limit: 1 });
    if (messages[0]) await deleteMessage(stores, SESSION, messages[0].id);
  };
  const acts: Record<string, (stage: Stage) => Promise<unknown>> = {
    reset: ({ operations }) => operations.reset(),
    deletion: deleteFirst,
    title: ({ operations }) => operations.patch(),
    metadata: ({ stores }) => patchSession(stores, SESSION, { metadata: { a: 1 } }, undefined),
    turn: ({ operations }) => operations.chat(),
  };
  const titlesOf = async ({ stores: { sessions } }: Stage) =>
    [await sessions.find(SESSION), await sessions.findAnchor(SESSION)].map((item) => item?.title);

  /** Runs `second` at every call of `first`, on a session that one turn has given a title, or that has none yet. */
  async function eachMeeting(
    isTitled: boolean,
    first: string,
    second: string,
    check: (stage: Stage, what: string) => Promise<void>,
  ): Promise<void> {
    for (let n = 0; ; n++) {
      const stage = createStage();
      await (isTitled ? stage.operations.chat() : stage.create());
      const run = (act: string) => () => ok(() => acts[act]!(stage));
      const answers = await stage.interleaved(n, run(first), run(second));
      if (!answers) break;
      expect(answers, `${second} at call ${n} of ${first}`).toEqual(["ok", "ok"]);
      await check(stage, `${second} at call ${n} of ${first}`);
    }
  }

  it.each([
    ["reset", "title"],
    ["title", "reset"],
    ["deletion", "title"],
    ["title", "deletion"],
  ])("keep the title that a client sets, when any call of one (%s) meets the other (%s)", async (first, second) => {
    await eachMeeting(true, first, second, async (stage, what) => {
      expect(await titlesOf(stage), what).toEqual(["patched", "patched"]);
      await stage.operations.reset();
      expect(await titlesOf(stage), `${what}, then a reset`).toEqual(["patched", "patched"]);
    });
  });

  it.each([
    ["reset", "metadata"],
    ["metadata", "reset"],
    ["deletion", "metadata"],
    ["metadata", "deletion"],
  ])("leave no title of deleted messages, when any call of one (%s) meets the other (%s)", async (first, second) => {
    await eachMeeting(true, first, second, async (stage, what) => {
      expect(await titlesOf(stage), what).toEqual([null, null]);
    });
  });

  it.each(["reset", "deletion"])(
    "keep no title of messages that a %s deletes during the first turn",
    async (second) => {
      await eachMeeting(false, "turn", second, async (stage, what) => {
        const [title, copy] = await titlesOf(stage);
        expect(copy, what).toBe(title);
        if (title !== null) expect(await contentsOf(stage), what).toContain(title);
      });
    },
  );
});

/** A purge is only ever begun for a session that was deleted. */
const isNoOperation = (state: string, verb: Verb): boolean =>
  verb === "purge" && state !== "deleted" && state !== "created again";

import { expect, test } from "vitest";
import { timeOrderedId } from "../../shared/session/message.ts";
import type { Choice, Deed, History, Item, Sight } from "./history.ts";
import { judgeBranches } from "./judge-branches.ts";
import { judgeStops } from "./judge-stops.ts";
import { runLife } from "./life.ts";
import { explain, runLives } from "./lives.ts";
import { judge } from "./model.ts";
import { nothing, planLife, without } from "./plan.ts";

/** Lives of the fixed part of the simulation, and the seed of the first one. */
const LIVES = 260;
const SEED = 20_000;

/** Messages that the client of an edit or a switch had seen. */
const listed = ["1.0.said", "2.0.said", "3.0.said"];

test("no life breaks a rule", async () => {
  const failures = await runLives({ seed: SEED, lives: LIVES, workers: 2 });
  const [first] = failures;
  expect(first ? await explain(first) : "").toBe("");
  expect(failures).toEqual([]);
}, 120_000);

test("the same seed gives the same history, call by call", async () => {
  const plan = planLife(SEED);
  const [first, second] = [await runLife(plan, true), await runLife(plan, true)];
  expect(first.trace.length).toBeGreaterThan(100);
  expect(second.trace).toEqual(first.trace);
});

test("leaving an action out changes nothing about what the others draw", () => {
  const plan = planLife(SEED);
  const shorter = without(plan, { ...nothing, actions: [2, 3] });
  expect(shorter.actions).toEqual(plan.actions.filter(({ id }) => id !== 2 && id !== 3));
});

test.each([
  ["an acknowledged message is lost", [append(1)], [seen([])]],
  ["a message is served twice", [append(1)], [seen(["said z1x0q", "said z1x0q"])]],
  ["what was deleted is served", [append(1), removal(2, 30)], [seen(["said z1x0q"])]],
  ["what was deleted is served", [append(1), removal(2, 30)], [{ ...seen(["said z1x0q"]), kind: "memories" as const }]],
  ["what was never said is served", [], [seen(["said z9x0q"])]],
  ["what was refused is served", [{ ...append(1), outcome: "refused" as const }], [seen(["said z1x0q"])]],
  ["what was deleted is served", [append(1), cut(2, 30, ["1.0.said"])], [seen(["said z1x0q"])]],
  ["an acknowledged message is lost", [append(1), append(3), cut(2, 30, ["3.0.said"])], [seen([])]],
  ["messages are out of order", [append(1), append(2, 30)], [seen(["said z2x0q", "said z1x0q"])]],
] satisfies [string, Deed[], Sight[]][])("the model says that %s", (rule, deeds, sights) => {
  expect(rulesBroken({ deeds, sights })).toEqual([rule]);
});

test.each([
  ["a removal may have come after it", [append(1), { ...removal(2, 5), outcome: "lost" as const }]],
  ["the request was not answered", [{ ...append(1), outcome: "lost" as const }]],
  ["it was said after the list was read", [append(1, 200)]],
  ["it followed a deleted message", [append(1), cut(2, 30, ["1.0.said"])]],
  ["it may have followed a deleted message", [append(4, 25), cut(2, 30, [])]],
] satisfies [string, Deed[]][])("the model does not miss a message when %s", (_why, deeds) => {
  expect(rulesBroken({ deeds, sights: [seen([])] })).toEqual([]);
});

const chain = [item(1, null), item(2, "m1"), item(3, "m2")];

test.each([
  ["a branch lacks messages", [edit(3, 30, ["1.0.said"])], chain.slice(0, 1)],
  ["a branch has messages of others", [edit(3, 30, ["1.0.said"])], [item(1, null), item(2, "m1"), item(3, "m1")]],
  ["a message does not follow its parent", [], [item(1, null), item(2, null)]],
  ["an edit does not follow its parent", [edit(2, 30, ["1.0.said"])], [item(1, null), item(4, "m1"), item(2, "m4")]],
] satisfies [string, Deed[], Item[]][])("the model says that %s", (rule, deeds, items) => {
  const kind = rule === "an edit does not follow its parent" ? "messages" : "current";
  expect(branchRulesBroken([append(1), ...deeds], items, kind)).toContain(rule);
});

test.each([
  ["a branch lacks messages", chain.slice(1)],
  ["a branch has messages of others", chain],
])("the model says of the path that ends with a message that %s", (rule, items) => {
  const choice = { id: "m2", listed, path: ["1.0.said", "2.0.said"], subtree: [] };
  const deeds = [append(1), append(2, 12), append(3, 14)];
  expect(branchRulesBroken(deeds, items, "path", choice)).toContain(rule);
  expect(branchRulesBroken(deeds, chain.slice(0, 2), "path", choice)).toEqual([]);
});

test("the model says that another answer has no question, if that is not the one that was asked again", () => {
  const again: Deed = { ...deed(2, 30), kind: "turn", says: ["z2x0q is what was asked"], answers: "1.0.said" };
  const sight = (...texts: string[]) => ({ deeds: [append(1), append(3), again], sights: [seen(texts)] });
  expect(rulesBroken(sight("said z1x0q", "said z3x0q", "z2x0q is what was asked"))).toEqual([]);
  expect(rulesBroken(sight("said z3x0q", "z2x0q is what was asked"))).toContain("an answer has no question");
});

test.each([
  ["nothing was edited", []],
  ["the edit may not have happened", [{ ...edit(5, 30, ["1.0.said"]), outcome: "lost" as const }]],
  [
    "a later switch may have followed the edit",
    [edit(5, 30, ["1.0.said"]), { ...move(6, 50, []), outcome: "lost" as const }],
  ],
  ["the switch chose the end of the branch", [move(5, 30, ["1.0.said", "2.0.said", "3.0.said"])]],
] satisfies [string, Deed[]][])("the model accepts a branch when %s", (_why, deeds) => {
  expect(branchRulesBroken([append(1), append(2, 12), append(3, 14), ...deeds], chain)).toEqual([]);
});

test.each([
  ["an answer has two ends", [stop(2, 30)], ["stopped", "complete"]],
  ["an answer is stopped that no client has stopped", [{ ...stop(2, 30), outcome: "refused" as const }], ["stopped"]],
] satisfies [string, Deed[], string[]][])("the model says that %s", (rule, deeds, statuses) => {
  expect(stopRulesBroken(deeds, statuses)).toEqual([rule]);
});

test.each([
  ["a client stopped it", [stop(2, 30)], ["stopped", "stopped"]],
  ["no client stopped it", [], ["incomplete", "complete"]],
  ["its messages were deleted meanwhile", [stop(2, 30), cut(3, 50, [])], ["stopped", "complete"]],
] satisfies [string, Deed[], string[]][])("the model accepts an answer when %s", (_why, deeds, statuses) => {
  expect(stopRulesBroken(deeds, statuses)).toEqual([]);
});

const calm = { skew: false, lag: false, late: false, twice: false, faulty: false };

const emptyHistory: History = {
  deeds: [],
  sights: [],
  presences: [],
  ends: [],
  served: 0,
  audited: [],
  erasures: [],
  recalls: [],
  ages: [],
  incognito: new Set(),
};

const rulesBroken = (history: Pick<History, "deeds" | "sights">): string[] =>
  judge({ ...emptyHistory, ...history }, calm).map(({ rule }) => rule);

function append(action: number, began = 10): Deed {
  const says = [`said z${action}x0q`];
  return { ...deed(action, began), kind: "append", says };
}

function branchRulesBroken(deeds: Deed[], items: Item[], kind: Sight["kind"] = "current", choice?: Choice): string[] {
  const sight = { ...seen(items.map(({ text }) => text)), kind, items, ...(choice ? { choice } : {}) };
  return judgeBranches({ ...emptyHistory, deeds, sights: [sight] }, calm).map(({ rule }) => rule);
}

function item(action: number, parent_id: string | null): Item {
  const text = `said z${action}x0q`;
  return { id: `m${action}`, parent_id, role: "user", content: text, text };
}

function edit(action: number, began: number, path: string[]): Deed {
  return { ...append(action, began), choice: { id: "m1", listed: listed.slice(0, 2), path, subtree: [] } };
}

function move(action: number, began: number, path: string[]): Deed {
  return { ...deed(action, began), kind: "switch", choice: { id: "m3", listed, path, subtree: [] } };
}

function stopRulesBroken(deeds: Deed[], statuses: string[]): string[] {
  const id = timeOrderedId({ seed: "turn", at: 20 }, 0);
  const ends = statuses.map((status) => ({ id, status, user: "ann", session: "s1", action: 1, ended: 100 }));
  return judgeStops({ ...emptyHistory, deeds, ends }).map(({ rule }) => rule);
}

function stop(action: number, began: number): Deed {
  return { ...deed(action, began), kind: "stop" };
}

function cut(action: number, began: number, subtree: string[]): Deed {
  return { ...deed(action, began), kind: "cut", choice: { id: "m1", listed, path: [], subtree } };
}

function removal(action: number, began: number): Deed {
  return { ...deed(action, began), kind: "delete" };
}

function deed(action: number, began: number): Omit<Deed, "kind"> {
  const times = { began, ended: began + 10, effective: () => began + 10 };
  return {
    action,
    user: "ann",
    session: "s1",
    says: [],
    ...times,
    outcome: "done",
    creates: false,
    isHit: () => false,
  };
}

function seen(texts: string[]): Sight {
  return { kind: "messages", action: "end", user: "ann", session: "s1", began: 100, ended: 110, isWhole: true, texts };
}

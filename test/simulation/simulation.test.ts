import { expect, test } from "vitest";
import type { Deed, History, Sight } from "./history.ts";
import { runLife } from "./life.ts";
import { explain, runLives } from "./lives.ts";
import { judge } from "./model.ts";
import { nothing, planLife, without } from "./plan.ts";

/** Lives of the fixed part of the simulation, and the seed of the first one. */
const LIVES = 260;
const SEED = 20_000;

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
  ["messages are out of order", [append(1), append(2, 30)], [seen(["said z2x0q", "said z1x0q"])]],
] satisfies [string, Deed[], Sight[]][])("the model says that %s", (rule, deeds, sights) => {
  expect(rulesBroken({ deeds, sights })).toEqual([rule]);
});

test.each([
  ["a removal may have come after it", [append(1), { ...removal(2, 5), outcome: "lost" as const }]],
  ["the request was not answered", [{ ...append(1), outcome: "lost" as const }]],
  ["it was said after the list was read", [append(1, 200)]],
] satisfies [string, Deed[]][])("the model does not miss a message when %s", (_why, deeds) => {
  expect(rulesBroken({ deeds, sights: [seen([])] })).toEqual([]);
});

const calm = { skew: false, lag: false, late: false, twice: false, faulty: false };

const rulesBroken = (history: Pick<History, "deeds" | "sights">): string[] =>
  judge({ ...history, presences: [], served: 0, ages: [] }, calm).map(({ rule }) => rule);

function append(action: number, began = 10): Deed {
  const says = [`said z${action}x0q`];
  return { ...deed(action, began), kind: "append", says };
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

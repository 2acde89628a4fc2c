/** Compares the tree with a model in which each message stores its parent, while branches are begun, chosen and cut at random. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  branchFor,
  cutAt,
  forkAt,
  isOn,
  LINEAR,
  moveFork,
  type Place,
  pathOf,
  type Tree,
  wholeTree,
} from "../../../shared/session/tree.ts";

interface Said extends Place {
  parent: string | null;
}

const recordOf = ({ branch, position, id }: Place) => {
  const [created_at = ""] = position.split("#");
  return { id, created_at, branch };
};

/** A conversation in both forms. */
function createTalk() {
  let tree: Tree = LINEAR;
  let head: Said | null = null;
  let said: Said[] = [];
  let count = 0;

  const say = (parent: Said | null): void => {
    if (parent?.id !== head?.id) tree = forkAt(tree, parent);
    const id = `m${++count}`;
    const position = `${String(count).padStart(4, "0")}#${id}`;
    head = { branch: tree.current, position, id, parent: parent?.id ?? null };
    said.push(head);
  };
  const followers = (of: Said): Set<string> => {
    const found = new Set([of.id]);
    for (const { id, parent } of said) if (parent !== null && found.has(parent)) found.add(id);
    return found;
  };

  return {
    append: () => say(head),
    edit: (pick: number) => say(pick < 0 ? null : (said[pick % said.length] ?? null)),
    /** As a client does that changes the head to a message. */
    choose(pick: number): void {
      const chosen = said[pick % Math.max(1, said.length)];
      if (!chosen) return;
      const { branch } = chosen;
      const isEnd = !said.some((one) => one.branch === branch && one.position > chosen.position);
      const isOpen = isEnd && tree.branches[branch]?.end === undefined;
      tree = isOpen ? { ...tree, current: branch } : forkAt(tree, chosen);
      head = chosen;
    },
    cut(pick: number): void {
      const chosen = said[pick % Math.max(1, said.length)];
      if (!chosen) return;
      const parent = said.find(({ id }) => id === chosen.parent) ?? null;
      const gone = followers(chosen);
      tree = cutAt(tree, chosen, parent);
      if (head && gone.has(head.id)) head = parent;
      said = said.filter(({ id }) => !gone.has(id));
    },
    /** Every message that was ever said, on these branches. */
    check(all: readonly Said[]): void {
      const whole = wholeTree(tree);
      const shown = all.filter((one) => isOn(whole, recordOf(one))).map(({ id }) => id);
      expect(shown).toEqual(said.map(({ id }) => id));
      for (const end of [...said, ...(head ? [head] : [])]) {
        const path: string[] = [];
        for (let at: Said | undefined = end; at; at = said.find(({ id }) => id === at?.parent)) path.unshift(at.id);
        const isLast = !said.some(({ branch, position }) => branch === end.branch && position > end.position);
        for (const on of [pathOf(tree, end.branch, end.position), ...(isLast ? [pathOf(tree, end.branch)] : [])]) {
          expect(all.filter((one) => isOn(on, recordOf(one))).map(({ id }) => id)).toEqual(path);
        }
      }
      const current = all.filter((one) => isOn(pathOf(tree), recordOf(one)));
      expect(current.at(-1)?.id ?? null).toBe(head?.id ?? null);
    },
    said: () => said,
    tree: () => tree,
  };
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom("append", "append", "edit", "choose", "cut") as fc.Arbitrary<"append" | "edit" | "choose" | "cut">,
    fc.integer({ min: -1, max: 8 }),
  ),
  { maxLength: 25 },
);

describe("the tree of a session", () => {
  it("gives the same messages, paths and head as stored parents, after any edits, switches and deletions", () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const talk = createTalk();
        const all: Said[] = [];
        for (const [act, pick] of taken) {
          talk[act](act === "edit" ? pick : Math.abs(pick));
          for (const one of talk.said()) if (!all.includes(one)) all.push(one);
          talk.check(all);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("refuses more branches than a session may have", () => {
    const full: Tree = { branches: Array.from({ length: 1000 }, () => ({})), current: 0 };
    expect(() => forkAt(full, null)).toThrow(/1000 branches/);
  });

  const from = { branch: 0, position: "0002#b", id: "b" };
  const forked: Tree = { branches: [{}, { from }], current: 1 };

  it("lets an empty branch continue from another message without another branch", () => {
    const place = { branch: 0, position: "0001#a", id: "a" };
    expect(moveFork(forked, place)).toEqual({ branches: [{}, { from: place }], current: 1 });
  });

  it.each([
    ["at the end of the current branch", 1, "0004#x", "0003#h", 1],
    ["on the branch that was current, if the current one has later messages", 0, "0002#x", "0003#h", 0],
    ["on the current branch, if the one that was current is removed", 2, "0002#x", "0003#h", 1],
    ["on the branch of the message at which the current one forked, if it is earlier", 1, "0001#x", "", 0],
  ])("puts a message that has no parent %s", (_where, meant, position, head, branch) => {
    const tree = { ...forked, branches: [...forked.branches, { removed: true as const }] };
    expect(branchFor(tree, meant, position, head)).toBe(branch);
  });

  it("puts a message that has no parent on the current branch, if the one that was current is cut", () => {
    const tree = { ...forked, branches: [{ end: "0002#b" }, { from }] };
    expect(branchFor(tree, 0, "0003#x", "0004#h")).toBe(1);
  });
});

import { AppError } from "../errors.ts";
import { type MessageRecord, positionOf } from "./message.ts";

/**
 * The branches of a session. Each message is on one branch. On a branch, messages are ordered by position, and each follows the previous
 * one. The first message of a branch follows the message at which the branch forked. So a message needs no stored parent, and a session
 * that never branched needs no stored tree.
 */
export interface Tree {
  branches: Branch[];
  /** The branch that lists show, and that new messages continue, by default. */
  current: number;
}

interface Branch {
  /** The message at which the branch forked. Absent = the branch starts the conversation again from the beginning. */
  from?: Place;
  /** Position of its last message. Later messages count as deleted, even while they are still stored. */
  end?: string;
  /** Whether all of its messages are deleted. */
  removed?: true;
}

/** The branch and position of a message. */
export interface Place {
  branch: number;
  position: string;
  id: string;
}

/** A selection of messages: for each of its branches, the last position that belongs to it. */
export type Path = ReadonlyMap<number, string>;

/** A text that sorts after every position. */
const OPEN = "~";

/** Maximum branches of one session. With about 150 bytes each, the tree stays below the 400 KB of an item. */
export const MAX_BRANCHES = 1000;

/** The tree of a session that never branched. */
export const LINEAR: Tree = { branches: [{}], current: 0 };

export function placeOf(message: MessageRecord): Place {
  return {
    branch: message.branch ?? 0,
    position: positionOf(message),
    id: message.id,
  };
}

/** Selects the messages from the beginning of the conversation to the end of a branch, or to `until`. */
export function pathOf({ branches, current }: Tree, branch = current, until = OPEN): Path {
  const path = new Map<number, string>();
  let [at, limit]: [number | undefined, string] = [branch, until];
  while (at !== undefined) {
    const { from, end = OPEN, removed }: Branch = branches[at] ?? {};
    if (!removed) path.set(at, end < limit ? end : limit);
    [at, limit] = [from?.branch, from?.position ?? OPEN];
  }
  return path;
}

/** Selects all messages of all branches. */
export function wholeTree({ branches }: Tree): Path {
  return new Map(branches.flatMap(({ end = OPEN, removed }, branch) => (removed ? [] : [[branch, end] as const])));
}

/** The position after which the current branches of two trees of a session differ; `null` = they are the same. */
export function divergenceOf(before: Tree, after: Tree): string | null {
  const [old, current] = [pathOf(before), pathOf(after)];
  const changed = [...new Set([...old.keys(), ...current.keys()])].filter((n) => old.get(n) !== current.get(n));
  const positions = changed.map((n) => {
    const [first = ""] = [old.get(n) ?? "", current.get(n) ?? ""].sort();
    // All messages of a branch come after the one that it forked from.
    return [first, (after.branches[n] ?? before.branches[n])?.from?.position ?? ""].sort()[1] ?? "";
  });
  return positions.sort()[0] ?? null;
}

export function isOn(path: Path, message: Parameters<typeof positionOf>[0] & Pick<MessageRecord, "branch">): boolean {
  return positionOf(message) <= (path.get(message.branch ?? 0) ?? "");
}

/**
 * Chooses the branch of a message whose request names no parent. `planned` is the branch that was current when the request began. The message goes to the
 * branch that is current now, unless this has later messages: the message must not come before them, so it stays on the planned branch. If
 * the chosen branch forked at a later message, the message goes to the branch of that one, because a message is later than its parent.
 */
export function branchFor({ branches, current }: Tree, planned: number, position: string, head = ""): number {
  const { removed, end } = branches[planned] ?? { removed: true };
  let branch = position > head || removed || end !== undefined ? current : planned;
  for (let { from } = branches[branch] ?? {}; from && from.position >= position; { from } = branches[branch] ?? {}) {
    branch = from.branch;
  }
  return branch;
}

/** Adds a branch that continues from a message (`null` = the beginning) and makes it current. Throws `conflict` at the limit. */
export function forkAt({ branches }: Tree, from: Place | null): Tree {
  if (branches.length >= MAX_BRANCHES) {
    throw new AppError(
      "conflict",
      `the session has ${MAX_BRANCHES} branches, which is the limit: continue in a new session`,
    );
  }
  return { branches: [...branches, from ? { from } : {}], current: branches.length };
}

/** Makes the current branch, which must be empty, continue from another message. */
export function moveFork({ branches, current }: Tree, from: Place): Tree {
  return { branches: branches.map((branch, n) => (n === current ? { from } : branch)), current };
}

/**
 * Removes a message and all messages that follow it, on every branch. `parent` is the message before it, which becomes the head if the
 * current branch loses its last message.
 */
export function cutAt(tree: Tree, { branch: cut, position }: Place, parent: Place | null): Tree {
  const end = parent?.branch === cut ? parent.position : undefined;
  const removed = new Set(end === undefined ? [cut] : []);
  // A branch has a higher number than the branch that it forked from.
  for (const [n, { from }] of tree.branches.entries()) {
    if (from && (removed.has(from.branch) || (from.branch === cut && from.position >= position))) removed.add(n);
  }
  const branches = tree.branches.map((branch, n): Branch => {
    if (removed.has(n)) return { ...branch, removed: true };
    return n === cut && end !== undefined ? { ...branch, end } : branch;
  });
  const isCurrentCut = (pathOf(tree).get(cut) ?? "") >= position;
  return isCurrentCut ? forkAt({ branches, current: 0 }, parent) : { branches, current: tree.current };
}

export interface Tally {
  messageCount: number;
  /** ISO 8601 time of the last message. */
  last: string | null;
  /** The last message of the current branch. */
  head: Place | null;
}

/** Counts messages that are added in order. `add` returns false for a deleted message, which it does not count. */
export function createTally(tree: Tree): { result: Tally; add(message: MessageRecord): boolean } {
  const [whole, current] = [wholeTree(tree), pathOf(tree)];
  const result: Tally = { messageCount: 0, last: null, head: null };
  return {
    result,
    add(message) {
      if (!isOn(whole, message)) return false;
      result.messageCount++;
      result.last = message.created_at;
      if (isOn(current, message)) result.head = placeOf(message);
      return true;
    },
  };
}

/** The attributes of a header or stub that depend on the tree. */
export function headOf(tree: Tree, head: Place | null): { branch?: number; head_id?: string; head_at?: string } {
  return {
    ...(tree.branches.length > 1 ? { branch: tree.current } : {}),
    ...(head ? { head_id: head.id, head_at: head.position } : {}),
  };
}

import { MAX_BRANCHES } from "../../../shared/session/tree.ts";
import { BadRecord, type Conversation } from "./conversation.ts";

/** The order in which messages are sent. Parents come before their children. */
interface MessageOrder {
  /** Indexes in the conversation's list, in the order of sending. */
  order: number[];
  /** The index of each message's parent, by the message's index; `undefined` = it begins the conversation. */
  parents: (number | undefined)[];
  /** The index of the current branch's last message; `undefined` when there are no messages. */
  head: number | undefined;
  /** Number of branches, without the first one. */
  branches: number;
  /** Number of messages whose parent does not exist or is one of their own descendants. They begin the conversation. */
  detached: number;
}

/**
 * Finds the parent of each message. Keeps the order of the list if possible, because the API orders messages with equal times by their
 * arrival. Otherwise it orders the messages branch by branch.
 * @throws BadRecord when two messages have the same id, or when there are more branches than a session can have.
 */
export function orderMessages({ messages, skipped, head }: Conversation): MessageOrder {
  const ids = new Map<string, number>();
  for (const [index, { id }] of messages.entries()) {
    if (id === undefined) continue;
    const first = ids.get(id);
    if (first !== undefined) throw new BadRecord(`messages[${index}].id: messages[${first}] has the same id`);
    ids.set(id, index);
  }
  let detached = 0;
  const nearest = createFinder(ids, skipped ?? new Map());
  const parents = messages.map(({ parent }, index) => {
    if (parent === undefined) return index === 0 ? undefined : index - 1;
    if (parent === null) return undefined;
    const found = nearest(parent);
    if (found === "none") detached += 1;
    return typeof found === "number" ? found : undefined;
  });
  detached += breakCycles(parents);
  const wanted = head === undefined ? undefined : nearest(head);
  const listed = messages.map((_, index) => index);
  const inList = parents.every((parent, index) => parent === undefined || parent < index);
  const isListed = inList && countForks(listed, parents) < MAX_BRANCHES;
  const order = isListed ? listed : depthFirst(parents);
  const forks = countForks(order, parents);
  // Leave room for one more branch: a current branch that ends at a message with children is stored as a branch of its own.
  if (forks + 1 >= MAX_BRANCHES) {
    throw new BadRecord(`the conversation has ${forks + 1} branches; a session has ${MAX_BRANCHES - 1} at most`);
  }
  return {
    order,
    parents,
    head: typeof wanted === "number" ? wanted : messages.length > 0 ? messages.length - 1 : undefined,
    branches: countForks(depthFirst(parents), parents),
    detached,
  };
}

/**
 * Creates a function that finds the message with an id, or, for a skipped node, the nearest message above it. It returns "root" when no
 * message is above the node, and "none" when the id does not exist or the nodes above it are a cycle.
 */
function createFinder(
  ids: ReadonlyMap<string, number>,
  skipped: ReadonlyMap<string, string | null>,
): (id: string) => number | "root" | "none" {
  const known = new Map<string, number | "root" | "none">();
  return (start) => {
    const passed = new Set<string>();
    let id = start;
    let found = ids.get(id) ?? known.get(id);
    while (found === undefined) {
      const above: string | null | undefined = passed.has(id) ? undefined : skipped.get(id);
      passed.add(id);
      if (typeof above === "string") {
        id = above;
        found = ids.get(id) ?? known.get(id);
      } else found = above === null ? "root" : "none";
    }
    // Remember the result for all nodes on the way, so that each node is visited once.
    for (const id of passed) known.set(id, found);
    return found;
  };
}

/** Removes the parent of the first message of each cycle. Returns the number of cycles. */
function breakCycles(parents: (number | undefined)[]): number {
  const state = new Uint8Array(parents.length);
  const [NEW, UNDER_WAY, DONE] = [0, 1, 2];
  let broken = 0;
  for (const start of parents.keys()) {
    const path: number[] = [];
    let at: number | undefined = start;
    while (at !== undefined && state[at] === NEW) {
      state[at] = UNDER_WAY;
      path.push(at);
      at = parents[at];
    }
    if (at !== undefined && state[at] === UNDER_WAY) {
      broken += 1;
      parents[Math.min(...path.slice(path.indexOf(at)))] = undefined;
    }
    for (const index of path) state[index] = DONE;
  }
  return broken;
}

/** Orders the messages branch by branch. Children of the same message keep the order of the list. */
function depthFirst(parents: readonly (number | undefined)[]): number[] {
  const children = Map.groupBy(parents.keys(), (index) => parents[index]);
  const order: number[] = [];
  const left = [...(children.get(undefined) ?? [])].reverse();
  for (let index = left.pop(); index !== undefined; index = left.pop()) {
    order.push(index);
    left.push(...(children.get(index) ?? []).reverse());
  }
  return order;
}

/** Counts the messages whose parent is not the message before them. The API begins a branch at each. */
function countForks(order: readonly number[], parents: readonly (number | undefined)[]): number {
  return order.filter((index, n) => parents[index] !== (n === 0 ? undefined : order[n - 1])).length;
}

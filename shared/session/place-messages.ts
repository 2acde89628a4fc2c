import { type AppError, invalidInput } from "../errors.ts";
import { noSuchMessage } from "./list-messages.ts";
import { type MessageRecord, positionOf, type ShownMessage } from "./message.ts";
import type { MessageSource } from "./message-source.ts";
import type { MessageInput } from "./schema.ts";
import { forkAt, type Place, placeOf, type Tree } from "./tree.ts";

/** A message as the request sends it and as the store keeps it. */
export interface Planned {
  input: MessageInput;
  message: MessageRecord;
  /** Path of the message in the request's body, ending with a dot. */
  path: string;
}

/** Finds the parents of planned messages that are stored already. Returns them by id. Throws `validation_failed` that names the field. */
export async function findParents(
  locate: MessageSource["locate"],
  planned: readonly Planned[],
  head: Place | null,
): Promise<Map<string, Place>> {
  const found = new Map(head ? [[head.id, head]] : []);
  const ids = new Set(planned.map(({ message }) => message.id));
  for (const { input, path } of planned) {
    const { parent_id } = input;
    if (typeof parent_id !== "string" || ids.has(parent_id) || found.has(parent_id)) continue;
    const parent = await locate(parent_id);
    if (!parent) throw noSuchMessage(`${path}parent_id`);
    found.set(parent_id, placeOf(parent));
  }
  return found;
}

/** Messages with their branches, and the tree to store with them if they begin branches. */
export interface Placed {
  messages: MessageRecord[];
  treeOf(first: readonly MessageRecord[]): { tree?: Tree };
}

/**
 * Gives each message its branch. A message without `parent_id` follows the previous message of the request; the first one follows
 * `head`. A message whose parent is not the end of the current branch begins a branch, which becomes the current one. Throws
 * `validation_failed` that names the field.
 * @param present the messages that are stored already, by id
 */
export function placeMessages(
  given: Tree,
  head: Place | null,
  planned: readonly Planned[],
  parents: ReadonlyMap<string, Place>,
  present: ReadonlyMap<string, MessageRecord>,
): Placed {
  let tree = given;
  let end = head;
  let previous = head;
  const places = new Map(parents);
  const messages: ShownMessage[] = [];
  for (const { input, message, path } of planned) {
    const stored = present.get(message.id);
    if (stored) previous = placeOf(stored);
    else {
      const parent = parentOf(input.parent_id, path);
      if (parent?.id !== end?.id) tree = forkAt(tree, parent);
      const placed = { ...message, ...timeAfter(parent, message, input, path), parent_id: parent?.id ?? null };
      messages.push(tree.current > 0 ? { ...placed, branch: tree.current } : placed);
      previous = { ...placeOf(placed), branch: tree.current };
      end = previous;
    }
    places.set(message.id, previous);
  }
  const { branches } = tree;
  return {
    messages,
    treeOf(first) {
      const current = first.at(-1)?.branch ?? 0;
      return current < given.branches.length ? {} : { tree: { branches: branches.slice(0, current + 1), current } };
    },
  };

  function parentOf(id: string | null | undefined, path: string): Place | null {
    if (id === undefined) return previous;
    if (id === null) return null;
    const parent = places.get(id);
    // The parent comes later in the same request.
    if (!parent) throw noSuchMessage(`${path}parent_id`);
    return parent;
  }
}

/**
 * Returns a later time for a message that would come before its parent. The server's time can be before the parent's, because clocks
 * differ. Throws `validation_failed` if the client chose the time.
 */
function timeAfter(
  parent: Place | null,
  message: MessageRecord,
  input: MessageInput,
  path: string,
): Pick<MessageRecord, "created_at"> | undefined {
  if (!parent || positionOf(message) > parent.position) return undefined;
  const [time = ""] = parent.position.split("#");
  if (input.created_at === undefined) return { created_at: new Date(Date.parse(time) + 1).toISOString() };
  throw beforeParent(path, parent.position);
}

/** The error for a message whose chosen time is before the position of the message that it follows. */
export function beforeParent(path: string, position: string): AppError {
  const [time] = position.split("#");
  const message = `must not be before ${time}, the time of the message that it follows`;
  return invalidInput({ path: `${path}created_at`, message });
}

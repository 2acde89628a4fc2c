import { noSuchMessage } from "./list-messages.ts";
import { openMessages } from "./message-source.ts";
import type { SessionId, SessionRecord, SessionState } from "./session.ts";
import type { Stores } from "./store.ts";
import { forkAt, headOf, moveFork, pathOf, placeOf, type Tree } from "./tree.ts";

/** The changes of header and tree for a switch. */
interface BranchSwitch {
  header: Pick<SessionRecord, "branch" | "head_id" | "head_at">;
  tree: Tree;
}

/**
 * Plans the switch to the branch that ends with a message. If other messages follow it on its branch, a new branch begins at the message.
 * Returns `null` when the message is the end of the current branch. Throws `validation_failed` when the session has no such message.
 */
export async function planSwitch(
  stores: Pick<Stores, "messages" | "archive">,
  session: SessionId,
  state: Extract<SessionState, { record: SessionRecord }>,
  head: string,
): Promise<BranchSwitch | null> {
  const { tree, range, locate } = await openMessages(stores, session, state);
  const message = await locate(head);
  if (!message) throw noSuchMessage("head_id");
  const place = placeOf(message);
  const { branch, position } = place;
  const later = await range({ order: "asc", after: position, limit: 1, path: pathOf(tree, branch) });
  // Never continue a branch whose end was deleted, because new messages on it would count as deleted.
  const isEnd = later.messages.length === 0 && tree.branches[branch]?.end === undefined;
  if (isEnd && branch === tree.current) return null;
  const { head_id, turns } = state.record;
  const from = tree.branches[tree.current]?.from;
  const isCurrentEmpty = from !== undefined && from.id === head_id && !turns;
  const to = isEnd ? { ...tree, current: branch } : isCurrentEmpty ? moveFork(tree, place) : forkAt(tree, place);
  return { header: headOf(to, place), tree: to };
}

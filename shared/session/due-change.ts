import type { SessionId } from "./session.ts";
import type { Stores, Transition } from "./store.ts";

/**
 * Plans the change of the anchor for another expiry: the reconciler checks the session at `dueAt`, or earlier if it must clean up.
 * Returns `null` when the session does not exist.
 */
export async function dueChange(
  { sessions }: Pick<Stores, "sessions">,
  session: SessionId,
  dueAt: string,
): Promise<NonNullable<Transition["anchor"]> | null> {
  const anchor = await sessions.findAnchor(session);
  if (!anchor || anchor.state === "deleted") return null;
  // Fail if messages were deleted meanwhile, because that deletion needs its early check.
  const expect = { newest: anchor.generation, tree: anchor.tree_version ?? 0 };
  return { expect, set: anchor.cleanup ? { cleanup: true } : { due_at: dueAt } };
}

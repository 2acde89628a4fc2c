import type { SessionId } from "./session.ts";
import type { Stores, Transition } from "./store.ts";

/**
 * The change of an anchor when its session gets another expiry: the reconciler looks at `dueAt`, or earlier when something was left over.
 * `null`: the session does not exist.
 */
export async function dueChange(
  { sessions }: Pick<Stores, "sessions">,
  session: SessionId,
  dueAt: string,
): Promise<NonNullable<Transition["anchor"]> | null> {
  const anchor = await sessions.findAnchor(session);
  if (!anchor || anchor.state === "deleted") return null;
  return { expect: { newest: anchor.generation }, set: anchor.cleanup ? { cleanup: true } : { due_at: dueAt } };
}

import type { SessionId } from "./session.ts";
import type { Transition } from "./store.ts";
import type { Stores } from "./stores.ts";

/**
 * The change of an anchor when its session expires at another time: the reconciler looks at `dueAt`. It looks no later than before when
 * something was left over. `null` = the session does not exist.
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

import { withPatience } from "../clock.ts";
import { hideSession } from "../memory/forget.ts";
import { contended, settled } from "./attempts.ts";
import { purgeSession } from "./purge-session.ts";
import { notFound, readSession } from "./read-session.ts";
import { dueSoon, type SessionId } from "./session.ts";
import type { Stores } from "./stores.ts";

/**
 * Deletes a session everywhere. From the first write on it does not exist for anyone; what of its messages or its
 * archive object a fault leaves, or is still there at `deadline` (epoch ms), the reconciler deletes. Throws `not_found`.
 */
export async function deleteSession(
  stores: Stores,
  session: SessionId,
  deadline = Number.POSITIVE_INFINITY,
): Promise<void> {
  const createdAt = await settled(async () => {
    const state = await readSession(stores, session);
    if (state.kind === "none") throw notFound();
    const from = state.kind === "limbo" ? null : state.record;
    // Before it is deleted: what was said in a session that does not exist must not be found, whatever fails from here on.
    await hideSession(stores.memories, session, { at: stores.clock() });
    const done = await stores.sessions.transit(session, {
      from,
      to: null,
      anchor: { expect: {}, set: { state: "deleted", due_at: dueSoon(stores.clock()), cleanup: true } },
      active: state.kind === "archived" ? 0 : -1,
    });
    return done ? (from ?? (state as { anchor: { created_at: string } }).anchor).created_at : contended;
  });
  const purged = purgeSession(stores, { user_id: session.user, id: session.id, created_at: createdAt });
  await withPatience(
    deadline - stores.clock(),
    purged.catch(() => undefined),
    undefined,
  );
}

import { withPatience } from "../clock.ts";
import { bury } from "./bury.ts";
import { purgeSession } from "./purge-session.ts";
import { notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionId } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Deletes a session everywhere. From the first write on it does not exist for anyone; what of its messages, memories or its
 * archive object a fault leaves, or is still there at `deadline` (epoch ms), the reconciler deletes. Throws `not_found`.
 */
export async function deleteSession(
  stores: Stores,
  session: SessionId,
  deadline = Number.POSITIVE_INFINITY,
): Promise<void> {
  const began = stores.clock();
  const tombstone = await retryContended(async () => {
    const state = await readSession(stores, session, began);
    if (state.kind === "none") throw notFound();
    const anchor = await stores.sessions.findAnchor(session);
    if (!anchor || anchor.state === "deleted") return contended;
    return (await bury(stores, anchor, state.kind === "limbo" ? null : state.record)) ?? contended;
  });
  const purged = purgeSession(stores, tombstone);
  await withPatience(
    deadline - stores.clock(),
    purged.catch(() => undefined),
    undefined,
  );
}

import { withPatience } from "../clock.ts";
import { bury } from "./bury.ts";
import { purgeSession } from "./purge-session.ts";
import { notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionId } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Deletes a session. The first write makes it invisible. If a fault, or `deadline` (epoch ms), stops the rest, the reconciler deletes the
 * remaining messages, memories, files and archive object. Throws `not_found`.
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

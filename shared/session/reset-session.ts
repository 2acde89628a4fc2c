import { archiveSession } from "./archive-session.ts";
import { notFound, readSession } from "./read-session.ts";
import { renewSession } from "./renew-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { RequestIdentity, SessionId, SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Deletes all messages of a session and leaves it hot. A retry of the request keeps what was written after the first attempt. Throws
 * `not_found`.
 */
export function resetSession(
  stores: Stores,
  session: SessionId,
  { seed }: Pick<RequestIdentity, "seed">,
): Promise<SessionRecord> {
  const began = stores.clock();
  return retryContended(async () => {
    const state = await readSession(stores, session, began);
    switch (state.kind) {
      case "none":
        throw notFound();
      case "limbo":
        await archiveSession(stores, state.anchor);
        return contended;
      default:
        if (state.record.reset_by === seed) return state.record;
        return renewSession(stores, session, { ...state.record, reset_by: seed }, "drop");
    }
  });
}

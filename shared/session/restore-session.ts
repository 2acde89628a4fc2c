import { toInstant } from "../clock.ts";
import { archiveSession } from "./archive-session.ts";
import { dueChange } from "./due-change.ts";
import { notFound, readSession } from "./read-session.ts";
import { renewSession } from "./renew-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { dueAfter, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

/** Makes a session hot with all its messages. A hot session stays as it is. Throws `not_found`. */
export function restoreSession(stores: Stores, session: SessionId): Promise<SessionRecord> {
  return retryContended(async () => {
    const state = await readSession(stores, session);
    switch (state.kind) {
      case "none":
        throw notFound();
      case "active":
        return state.record;
      case "expired":
        return revive(stores, session, state.record);
      case "limbo":
        await archiveSession(stores, state.anchor);
        return contended;
      case "archived":
        return renewSession(stores, session, state.record, "keep");
    }
  });
}

/** Moves the expiry of a header that DynamoDB has not deleted yet. */
async function revive(stores: Stores, session: SessionId, from: SessionRecord) {
  const now = stores.clock();
  const to = { ...from, updated_at: toInstant(now), expires_at: expiryOf(from, now), version: from.version + 1 };
  const anchor = await dueChange(stores, session, dueAfter(to, now));
  if (!anchor) return contended;
  return (await stores.sessions.transit(session, { from, to, anchor, active: 0 })) ? to : contended;
}

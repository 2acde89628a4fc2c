import { toInstant } from "../clock.ts";
import { forgetSession } from "../memory/forget.ts";
import type { Stores } from "./stores.ts";

/**
 * Milliseconds that the tombstone of a deleted session stays: whoever was writing to it when it was deleted has
 * given up by then, and the reconciler purges once more.
 */
const TOMBSTONE = 3_600_000;

/** Deletes what a deleted session has left: messages, memories and archive object. May be repeated. */
export async function purgeSession(
  stores: Stores,
  { user_id, id, created_at }: { user_id: string; id: string; created_at: string },
): Promise<void> {
  const session = { user: user_id, id };
  await forgetSession(stores.memories, session);
  await stores.messages.clear(session, () => false);
  const etag = await stores.archive.find({ user_id, id, created_at });
  if (etag) await stores.archive.remove({ user_id, id, created_at }, etag);
  await stores.sessions.markPurged(session, toInstant(stores.clock() + TOMBSTONE));
}

import { toInstant } from "../clock.ts";
import { bury } from "./bury.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionRecord, Tombstone } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Milliseconds that the tombstone of a deleted session stays after a purge. By then, requests that were writing to the session have ended,
 * and the reconciler purges again.
 */
const TOMBSTONE = 3_600_000;

/**
 * Deletes the messages, memories, files and archive object of a deleted session. May be repeated at any later time: it deletes no
 * generation after the tombstone's, because that belongs to a later session with the same id.
 */
export async function purgeSession(stores: Stores, tombstone: Tombstone): Promise<void> {
  const session = { user: tombstone.user_id, id: tombstone.id };
  await stores.memories.forget(session, tombstone.generation + 1);
  await stores.files.forget(session, tombstone.generation + 1);
  await stores.messages.clear(session, (generation) => generation > tombstone.generation);
  for (const { etag, generation } of await stores.archive.find(tombstone)) {
    if (generation <= tombstone.generation) await stores.archive.remove(tombstone, etag);
  }
  await stores.sessions.markPurged(tombstone, toInstant(stores.clock() + TOMBSTONE));
}

/** Deletes an archived session whose stub DynamoDB's TTL has deleted. */
export async function purgeExpiredArchive(stores: Stores, stub: SessionRecord): Promise<void> {
  const session = { user: stub.user_id, id: stub.id };
  const tombstone = await retryContended<Tombstone>(async () => {
    const anchor = await stores.sessions.findAnchor(session);
    // The stream record may be late: an earlier run has purged the session, or the id belongs to a later session.
    if (anchor?.state !== "archived" || anchor.live_generation !== stub.generation) return stub;
    return (await bury(stores, anchor, await stores.sessions.find(session))) ?? contended;
  });
  await purgeSession(stores, tombstone);
}

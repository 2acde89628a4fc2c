import { toInstant, withPatience } from "../clock.ts";
import { notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { type Anchor, dueSoon, type SessionId, type SessionRecord, type Tombstone } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Milliseconds that the tombstone of a deleted session stays after a purge. Then requests that were writing to the session have ended, and
 * the reconciler purges again.
 */
const TOMBSTONE = 3_600_000;

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

/**
 * Makes a session invisible with one write: it deletes the header or stub (`record`), turns the anchor into a tombstone, and hides the
 * memories from searches. `purgeSession` deletes the rest. Returns `null`, and writes nothing, when the session has changed since `anchor`
 * and `record` were read.
 */
export async function bury(
  { sessions, memories, clock }: Pick<Stores, "sessions" | "memories" | "clock">,
  anchor: Anchor,
  record: SessionRecord | null,
): Promise<Tombstone | null> {
  const session = { user: anchor.user_id, id: anchor.id };
  const now = clock();
  const done = await sessions.transit(session, {
    from: record,
    to: null,
    anchor: {
      expect: { newest: anchor.generation },
      set: { state: "deleted", due_at: dueSoon(now), cleanup: true },
    },
    active: anchor.state === "active" ? -1 : 0,
    joined: [await memories.hide(session, anchor.generation + 1, now)],
  });
  return done ? anchor : null;
}

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

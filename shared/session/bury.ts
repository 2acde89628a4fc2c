import { type Anchor, dueSoon, type SessionRecord, type Tombstone } from "./session.ts";
import type { Stores } from "./store.ts";

/**
 * Makes a session invisible with one write: it deletes the header or stub (`record`), turns the anchor into a tombstone, and hides the
 * memories from searches. `purgeSession` deletes the rest. `null`: the session has changed since `anchor` and `record` were read, so
 * nothing was written.
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

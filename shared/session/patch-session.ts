import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { archiveSession } from "./archive-session.ts";
import { contended, settled } from "./attempts.ts";
import { withoutUndefined } from "./message.ts";
import { notFound, readSession } from "./read-session.ts";
import type { SessionPatch } from "./schema.ts";
import { dueAfter, etagOf, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./stores.ts";

/** Attempts at a patch that expect the very version that was read. Later ones let other writes come in between. */
const EXACT_ATTEMPTS = 1;

/**
 * Changes title, metadata or lifetime. A hot session's expiry moves on, as with every write; an archived one stays
 * archived, and what was changed holds when it is restored. Throws `not_found`, `precondition_failed`.
 */
export function patchSession(
  stores: Stores,
  session: SessionId,
  patch: SessionPatch,
  matches: ((etag: string) => boolean) | undefined,
): Promise<SessionRecord> {
  let attempts = 0;
  return settled(async () => {
    const state = await readSession(stores, session);
    if (state.kind === "none") throw notFound();
    if (state.kind === "limbo") {
      await archiveSession(stores, state.anchor);
      return contended;
    }
    const now = stores.clock();
    if (matches && !matches(etagOf(state.record, now))) {
      throw new AppError("precondition_failed", "the session has changed: its ETag is not the one in If-Match");
    }
    const to = patched(state.record, patch, state.kind === "active", now);
    if (!matches && state.kind === "active" && attempts++ >= EXACT_ATTEMPTS) {
      const changes = { ...withoutUndefined(patch), expires_at: to.expires_at };
      const done = await stores.sessions.setSettings(state.record, changes, now, dueAfter(to, now));
      return done ? ((await stores.sessions.find(session)) ?? to) : contended;
    }
    const { title, metadata, ttl_seconds, pinned } = to;
    const done = await stores.sessions.transit(session, {
      from: state.record,
      to,
      anchor: {
        expect: {},
        set: {
          title,
          metadata,
          ttl_seconds,
          pinned,
          ...(state.kind === "active" ? { due_at: dueAfter(to, now) } : {}),
        },
      },
      active: 0,
    });
    return done ? to : contended;
  });
}

function patched(from: SessionRecord, patch: SessionPatch, active: boolean, now: number): SessionRecord {
  const to: SessionRecord = {
    ...from,
    title: patch.title === undefined ? from.title : patch.title,
    metadata: patch.metadata ?? from.metadata,
    ttl_seconds: patch.ttl_seconds ?? from.ttl_seconds,
    pinned: patch.pinned ?? from.pinned,
    version: from.version + 1,
  };
  return active ? { ...to, updated_at: toInstant(now), expires_at: expiryOf(to, now) } : to;
}

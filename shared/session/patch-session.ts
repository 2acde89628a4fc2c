import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { archiveSession } from "./archive-session.ts";
import { dueChange } from "./due-change.ts";
import { withoutUndefined } from "./message.ts";
import { notFound, readSession } from "./read-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionPatch } from "./schema.ts";
import { dueAfter, etagOf, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

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
  const began = stores.clock();
  let attempts = 0;
  return retryContended(async () => {
    const state = await readSession(stores, session, began);
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
    // With the same lifetime the session expires when the reconciler expects it, as after any other write.
    const movesExpiry = state.kind === "active" && (patch.ttl_seconds !== undefined || patch.pinned !== undefined);
    const due = movesExpiry ? await dueChange(stores, session, dueAfter(to, now)) : { expect: {}, set: {} };
    if (!due) return contended;
    const { title, metadata, ttl_seconds, pinned } = to;
    const anchor = { ...due, set: { title, metadata, ttl_seconds, pinned, ...due.set } };
    if (!matches && state.kind === "active" && attempts++ >= EXACT_ATTEMPTS) {
      const given = withoutUndefined(patch);
      const settings = { ...given, expires_at: to.expires_at };
      const change = { ...due, set: { ...given, ...due.set } };
      const done = await stores.sessions.setSettings(state.record, settings, now, change);
      return done ? ((await stores.sessions.find(session)) ?? to) : contended;
    }
    const done = await stores.sessions.transit(session, { from: state.record, to, anchor, active: 0 });
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

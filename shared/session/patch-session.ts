import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { archiveSession } from "./archive-session.ts";
import { dueChange } from "./due-change.ts";
import { withoutUndefined } from "./message.ts";
import { lookAt, notFound, readSession } from "./read-session.ts";
import { restoreSession } from "./restore-session.ts";
import { contended, retryContended } from "./retry-contended.ts";
import type { SessionPatch } from "./schema.ts";
import { dueAfter, etagOf, expiryOf, type SessionId, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";
import { planSwitch } from "./switch-branch.ts";

/** Attempts that require the version that was read. Later attempts allow other writes in between. */
const EXACT_ATTEMPTS = 1;

/**
 * Changes title, metadata, lifetime or the current branch. Like every write, it restarts the idle time of a hot session. An archived
 * session stays archived and keeps the changes; only a change of the branch restores it. Throws `not_found`, `precondition_failed`, and
 * `validation_failed` for a `head_id` that names no message.
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
      throw new AppError(
        "precondition_failed",
        "the session has changed since the ETag in If-Match: read it and try again",
      );
    }
    const head = patch.head_id;
    const plan = () => (head === undefined ? null : planSwitch(stores, session, state, head));
    const change = await lookAt(stores, session, state, async () => plan());
    if (change === contended) return contended;
    if (change && state.kind === "archived") {
      // The current branch is stored in the archive object, so restore the session before it changes.
      await restoreSession(stores, session);
      return contended;
    }
    const to = { ...patched(state.record, patch, state.kind === "active", now), ...change?.header };
    // If the lifetime stays the same, the reconciler's next check need not move, as after any other write.
    const movesExpiry = state.kind === "active" && (patch.ttl_seconds !== undefined || patch.pinned !== undefined);
    const due = movesExpiry ? await dueChange(stores, session, dueAfter(to, now)) : { expect: {}, set: {} };
    if (!due) return contended;
    const { title, title_of = null, metadata, ttl_seconds, pinned } = to;
    const anchor = { ...due, set: { title, title_of, metadata, ttl_seconds, pinned, ...due.set } };
    if (!matches && !change && state.kind === "active" && attempts++ >= EXACT_ATTEMPTS) {
      const { head_id: _head, ...said } = withoutUndefined(patch);
      const given = said.title === undefined ? said : { ...said, title_of: null };
      const settings = { ...given, expires_at: to.expires_at };
      const changed = { ...due, set: { ...given, ...due.set } };
      const done = await stores.sessions.setSettings(state.record, settings, now, changed);
      return done ? ((await stores.sessions.find(session)) ?? to) : contended;
    }
    const tree = change ? { tree: change.tree } : {};
    const done = await stores.sessions.transit(session, { from: state.record, to, anchor, active: 0, ...tree });
    return done ? to : contended;
  });
}

function patched(from: SessionRecord, patch: SessionPatch, active: boolean, now: number): SessionRecord {
  const to: SessionRecord = {
    ...from,
    ...(patch.title === undefined ? {} : { title: patch.title, title_of: null }),
    metadata: patch.metadata ?? from.metadata,
    ttl_seconds: patch.ttl_seconds ?? from.ttl_seconds,
    pinned: patch.pinned ?? from.pinned,
    version: from.version + 1,
  };
  return active ? { ...to, updated_at: toInstant(now), expires_at: expiryOf(to, now) } : to;
}

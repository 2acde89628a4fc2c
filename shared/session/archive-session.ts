import { toInstant, toSeconds } from "../clock.ts";
import { retention } from "../retention/policy.ts";
import { bury, purgeSession } from "./delete-session.ts";
import { readSession, recordOf } from "./read-session.ts";
import { removeDeleted } from "./remove-deleted.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { type Anchor, type ArchiveRef, dueSoon, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";
import { LINEAR } from "./tree.ts";

/** The result of `archiveSession`. "discarded" means that this run has deleted an incognito session. */
type Archived = "archived" | "discarded" | "already archived" | "stale" | "deleted";

/** The expired session: the header that DynamoDB deleted, or the anchor. */
type Expired = SessionRecord | Anchor;

/**
 * Archives a session whose header DynamoDB has deleted: writes the object, then the stub, then deletes the messages. Each step may run
 * again at any time, also in parallel, and changes nothing the second time. The object is always the same, because no request can write to
 * the archived generation any more. The stub is written only if there is no header or stub. Only messages of the archived generation and
 * of older ones are deleted.
 *
 * Deletes an incognito session instead, as `deleteSession` does.
 */
export function archiveSession(stores: Stores, expired: Expired): Promise<Archived> {
  const session = { user: expired.user_id, id: expired.id };
  const generation = "live_generation" in expired ? expired.live_generation : expired.generation;
  /** The object of an attempt that could not write its stub. */
  let written: ArchiveRef | undefined;
  return retryContended<Archived>(async () => {
    const state = await readSession(stores, session);
    if (state.kind === "none") {
      const { anchor } = state;
      if (anchor?.state === "active") {
        const tombstone = await bury(stores, anchor, null);
        if (!tombstone) return contended;
        await purgeSession(stores, tombstone);
        return "discarded";
      }
      await purgeSession(stores, anchor?.state === "deleted" ? anchor : { ...expired, generation });
      return "deleted";
    }
    if (state.kind === "archived" && state.record.generation === generation) {
      await clearHot(stores, state.record);
      return "already archived";
    }
    if (state.kind !== "limbo" || state.anchor.live_generation !== generation) {
      if (written) await stores.archive.remove(expired, written.etag);
      return "stale";
    }

    const { anchor } = state;
    const isLinear = "version" in expired && expired.branch === undefined;
    const tree = isLinear ? LINEAR : await stores.messages.tree(session, generation);
    // Finish an interrupted deletion of messages now, because the stub does not say which messages were deleted.
    if (anchor.cleanup) await removeDeleted(stores, session, generation, tree);
    const object = await stores.archive.write({ ...anchor, tree }, () => stores.messages.all(session, generation));
    if (!object) return contended;
    const { ref, ...tally } = object;
    written = ref;
    const now = stores.clock();
    const stub: SessionRecord = {
      ...recordOf(anchor, tally, tree, now),
      ...("version" in expired ? { updated_at: expired.updated_at, version: expired.version + 1 } : {}),
      archived_at: toInstant(now),
      expires_at: toSeconds(now) + retention.stub.seconds,
      archive: ref,
    };
    const done = await stores.sessions.transit(session, {
      from: null,
      to: stub,
      anchor: {
        expect: { live: generation },
        set: { state: "archived", due_at: dueSoon(now), cleanup: true },
      },
      active: -1,
    });
    if (!done) return contended;
    await clearHot(stores, stub);
    // If an earlier run left something, keep the reconciler's early check.
    if (!anchor.cleanup) await stores.sessions.schedule(session, dueAfterStub(stub), anchor);
    return "archived";
  });
}

/** The time (ISO 8601) at which the reconciler removes an expired stub itself, because DynamoDB may delete it days late. */
export function dueAfterStub(stub: SessionRecord): string {
  return toInstant((stub.expires_at ?? 0) * 1000 + 3 * 86_400_000);
}

/** Deletes the messages of the archived generation and of older ones. */
function clearHot({ messages }: Stores, stub: SessionRecord): Promise<void> {
  return messages.clear({ user: stub.user_id, id: stub.id }, (generation) => generation > stub.generation);
}

import { toInstant } from "../clock.ts";
import { archiveSession, dueAfterStub } from "./archive-session.ts";
import { bury, purgeSession } from "./delete-session.ts";
import { removeDeleted } from "./remove-deleted.ts";
import { type Anchor, dueAfter, type SessionId, stateOf, type Tombstone } from "./session.ts";
import type { Due, Stores } from "./store.ts";

/** Sessions that are checked in parallel. */
const PARALLEL = 8;

/** Milliseconds until the next check of an expired session that DynamoDB has not deleted yet. */
const TTL_LAG = 6 * 3_600_000;

interface Reconciliation {
  looked: number;
  /** Sessions that the archiver has missed. It should be 0. */
  archived: number;
  cleaned: number;
  deleted: number;
  failed: number;
  /** False when the deadline stopped the run. The next run continues. */
  complete: boolean;
}

/**
 * Checks every session that is due and finishes interrupted work: sessions whose TTL record was lost, hot copies of archived sessions,
 * archive objects of active sessions, remaining data of deleted sessions. Its cost grows with the number of due sessions, not with the
 * table. Stops at `deadline` (epoch ms).
 */
export async function reconcile(
  stores: Stores,
  deadline: number,
  report: (error: unknown, session: SessionId) => void,
): Promise<Reconciliation> {
  const result: Reconciliation = { looked: 0, archived: 0, cleaned: 0, deleted: 0, failed: 0, complete: true };
  for await (const page of stores.sessions.due(toInstant(stores.clock()))) {
    for (let start = 0; start < page.length; start += PARALLEL) {
      if (stores.clock() > deadline) return { ...result, complete: false };
      await Promise.all(page.slice(start, start + PARALLEL).map(look));
    }
  }
  return result;

  async function look(session: Due): Promise<void> {
    result.looked++;
    try {
      const outcome = await finish(stores, session);
      if (outcome !== "nothing") result[outcome]++;
    } catch (error) {
      result.failed++;
      report(error, session);
    }
  }
}

async function finish(
  stores: Stores,
  { tombstone: moved, ...session }: Due,
): Promise<"nothing" | "archived" | "cleaned" | "deleted"> {
  const { sessions, messages, archive } = stores;
  if (moved !== undefined) return finishPurge(stores, await sessions.findTombstone(session, moved));
  const anchor = await sessions.findAnchor(session);
  if (!anchor) return "nothing";
  // Search before the session is read, because an object that is written later is not a leftover.
  const strays = anchor.cleanup ? await archive.find(anchor) : [];
  const now = stores.clock();
  const found = await sessions.find(session);
  const state = stateOf(found, anchor, now);
  switch (state.kind) {
    case "limbo":
      return (await archiveSession(stores, anchor)) === "archived" ? "archived" : "nothing";

    case "none":
      // A tombstone, or the anchor of an expired archive.
      return finishPurge(stores, anchor.state === "deleted" ? anchor : await bury(stores, anchor, found));

    case "active":
    case "expired": {
      const { record } = state;
      if (anchor.cleanup) {
        await forgetBeforeReset(stores, session, anchor);
        await messages.clear(session, (other) => other === record.generation || other > anchor.generation);
        for (const { etag, generation } of strays) {
          if (generation < record.generation) await archive.remove(anchor, etag);
        }
        if (record.branch !== undefined) {
          const tree = await messages.tree(session, record.generation);
          await removeDeleted(stores, session, record.generation, tree);
        }
      }
      const dueAt = state.kind === "active" ? dueAfter(record, now) : toInstant(now + ttlLag(record.ttl_seconds));
      await sessions.schedule(session, dueAt, anchor);
      return anchor.cleanup ? "cleaned" : "nothing";
    }

    case "archived": {
      const { record } = state;
      const dueAt = dueAfterStub(record);
      if (!anchor.cleanup) {
        await sessions.schedule(session, dueAt, anchor);
        return "nothing";
      }
      // Take a new generation, so that a restore that is still writing fails and cannot make deleted messages live.
      const next = await sessions.nextGeneration(session, record.generation, dueAt);
      if (!next) return "nothing";
      const { generation } = next;
      await forgetBeforeReset(stores, session, anchor);
      await messages.clear(session, (other) => other > generation);
      await sessions.schedule(session, dueAt, next);
      return "cleaned";
    }
  }
}

/** Purges a deleted session. If it was purged before, also removes the tombstone. */
async function finishPurge(stores: Stores, tombstone: Tombstone | null): Promise<"nothing" | "deleted"> {
  if (!tombstone) return "nothing";
  await purgeSession(stores, tombstone);
  if (tombstone.purged) await stores.sessions.removeTombstone(tombstone);
  return "deleted";
}

/** Finishes an interrupted reset: deletes the memories and files from before it, in any state of the session. */
async function forgetBeforeReset({ memories, files }: Stores, session: SessionId, anchor: Anchor): Promise<void> {
  if (anchor.reset_generation === undefined) return;
  await memories.forget(session, anchor.reset_generation);
  await files.forget(session, anchor.reset_generation);
}

const ttlLag = (ttlSeconds: number): number => Math.min(TTL_LAG, Math.max(1, ttlSeconds) * 1000);

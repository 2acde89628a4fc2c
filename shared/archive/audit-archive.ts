import type { SessionId } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import type { ArchivedDays } from "./archived-days.ts";
import { isHashed } from "./user-part.ts";

/** Sessions per lookup. */
const BATCH = 100;

interface Audit {
  /** Archive objects that were checked. */
  objects: number;
  /** Objects of sessions that are not in the table. */
  orphans: number;
  /** False when the deadline stopped the run. */
  complete: boolean;
}

interface Found {
  session: SessionId;
  day: string;
}

/**
 * Finds archive objects of sessions that are not in the table. They exist when an operator has restored objects of deleted sessions, or has
 * restored the table from a backup without the sessions. Only an operator can know which, so nothing is deleted. Skips objects of users
 * whose ids are too long for a key. Stops at `deadline` (epoch ms).
 */
export async function auditArchive(
  ports: {
    archived: Pick<ArchivedDays, "days" | "list">;
    sessions: Pick<SessionStore, "findMany" | "findAnchor">;
    clock: () => number;
  },
  deadline: number,
  report: (orphan: Found) => void,
): Promise<Audit> {
  const { archived, sessions, clock } = ports;
  const audit: Audit = { objects: 0, orphans: 0, complete: true };
  for (const day of await archived.days()) {
    let batch: Found[] = [];
    for await (const { key, user } of archived.list(day)) {
      if (clock() > deadline) return { ...audit, complete: false };
      if (isHashed(user)) continue;
      batch.push({ session: { user, id: idIn(key) }, day });
      if (batch.length < BATCH) continue;
      await look(batch);
      batch = [];
    }
    await look(batch);
  }
  return audit;

  async function look(batch: readonly Found[]): Promise<void> {
    const records = await sessions.findMany(batch.map(({ session }) => session));
    const known = new Set(records.map(({ user_id, id, created_at }) => nameOf({ user: user_id, id }, created_at)));
    for (const found of batch) {
      audit.objects++;
      if (known.has(nameOf(found.session, found.day))) continue;
      // Between the deletion of its header and the write of its stub, a session has only an anchor.
      const anchor = await sessions.findAnchor(found.session);
      if (anchor?.created_at.startsWith(found.day)) continue;
      audit.orphans++;
      report(found);
    }
  }
}

const idIn = (key: string): string => decodeURIComponent(key.slice(key.lastIndexOf("/") + 1, -".jsonl.gz".length));

/** The name contains the day, because a later session with the same id may belong to another day. */
const nameOf = ({ user, id }: SessionId, created: string): string => JSON.stringify([user, id, created.slice(0, 10)]);

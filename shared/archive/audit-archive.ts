import type { SessionId } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import type { ArchivedDays } from "./archived-days.ts";
import { isHashed } from "./user-part.ts";

/** Sessions that are looked up at once. */
const BATCH = 100;

interface Audit {
  /** Archive objects that were looked at. */
  objects: number;
  /** Of these, those of sessions that the table does not know. */
  orphans: number;
  /** False when the time was up first. */
  complete: boolean;
}

interface Found {
  session: SessionId;
  day: string;
}

/**
 * Looks for archive objects of sessions that are not in the table: rests of deleted ones that somebody has brought back,
 * or all that is left of sessions that a table restored from a backup has forgotten. Which of the two is for people to say,
 * so nothing is deleted. Objects of users whose ids are too long for a key are passed over. Stops at `deadline` (epoch ms).
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
      // Between its expiry and its stub a session has an anchor only.
      const anchor = await sessions.findAnchor(found.session);
      if (anchor?.created_at.startsWith(found.day)) continue;
      audit.orphans++;
      report(found);
    }
  }
}

const idIn = (key: string): string => decodeURIComponent(key.slice(key.lastIndexOf("/") + 1, -".jsonl.gz".length));

/** A session of the same id may have been created anew on another day. */
const nameOf = ({ user, id }: SessionId, created: string): string => JSON.stringify([user, id, created.slice(0, 10)]);

import { expireNow } from "./expire-idle.ts";
import { contended, retryContended } from "./retry-contended.ts";
import { isExpired, type SessionRecord } from "./session.ts";
import type { Stores } from "./store.ts";

/** Sessions per page. */
const PAGE = 500;

/**
 * Expires sessions of a user until `most` are active, the one that is idle longest first. The archiver then archives them. Pinned sessions
 * and the session that was used last count, but are never expired. `begun` are sessions that have just become active: they count, although
 * the index may not show them yet.
 *
 * Two runs for the same user do not expire too many sessions, because each reads a session again before it expires it. If the index hides
 * a new session from both, one session too many stays until the user's next session begins. Returns the number of expired sessions.
 */
export async function limitSessions(
  { sessions, clock }: Pick<Stores, "sessions" | "clock">,
  user: string,
  most: number,
  begun: ReadonlySet<string>,
): Promise<number> {
  const active = await listActive();
  const listed = new Set(active.map(({ id }) => id));
  const hidden = await Promise.all([...begun.difference(listed)].map(findActive));
  let excess = active.length + hidden.filter(Boolean).length - most;
  let expired = 0;
  const candidates = hidden.some(Boolean) ? active : active.slice(0, -1);
  for (const candidate of candidates.filter(({ pinned }) => !pinned)) {
    if (excess <= 0) break;
    const outcome = await retryContended(() => tryExpire(candidate));
    if (outcome !== "in use") excess--;
    if (outcome === "expired") expired++;
  }
  return expired;

  async function tryExpire({ id, updated_at }: SessionRecord) {
    const record = await findActive(id);
    if (!record) return "gone";
    // A session that was written to since it was listed is not the one that is idle longest.
    if (record.pinned || record.updated_at !== updated_at) return "in use";
    return (await expireNow({ sessions, clock }, record)) ? "expired" : contended;
  }

  async function findActive(id: string): Promise<SessionRecord | null> {
    const record = await sessions.find({ user, id });
    return record?.status === "active" && !isExpired(record, clock()) ? record : null;
  }

  /** Lists the active sessions, the one that is idle longest first. */
  async function listActive(): Promise<SessionRecord[]> {
    const found: SessionRecord[] = [];
    for (let more = true; more; ) {
      const last = found.at(-1);
      const page = await sessions.list(user, {
        status: "active",
        order: "asc",
        limit: PAGE,
        now: clock(),
        ...(last && { after: { updated_at: last.updated_at, id: last.id } }),
      });
      found.push(...page.records);
      more = page.more;
    }
    return found;
  }
}

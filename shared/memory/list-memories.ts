import type { MemoryRecord } from "./record.ts";
import type { MemoryStore } from "./store.ts";

/** A page of a user's memories, the latest first. `last` is where the next page starts; absent = there is none. */
export async function listMemories(
  memories: Pick<MemoryStore, "list" | "find" | "summary">,
  user: string,
  query: { limit: number; after?: string | undefined },
): Promise<{ records: MemoryRecord[]; last?: string }> {
  const [{ forgottenBefore }, page] = await Promise.all([memories.summary(user), memories.list(user, query)]);
  // The index may still hold what was deleted a moment ago.
  const there = await memories.find(
    page.records.map(({ session_id, id }) => ({ session: { user, id: session_id }, id })),
  );
  const ids = new Set(there.map(({ id }) => id));
  const records = page.records.filter(({ id, arrived }) => ids.has(id) && arrived >= forgottenBefore);
  const last = page.records.at(-1);
  return { records, ...(page.more && last ? { last: last.id } : {}) };
}

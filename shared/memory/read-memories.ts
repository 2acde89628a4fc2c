import { isForgotten } from "./forgotten.ts";
import type { Memory } from "./memory.ts";
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

/** Those of a user's memories that are there and not forgotten, in that order. */
export async function findMemories(
  memories: Pick<MemoryStore, "summary" | "find">,
  user: string,
  wanted: readonly Pick<Memory, "session_id" | "id">[],
): Promise<MemoryRecord[]> {
  const keys = wanted.map(({ session_id, id }) => ({ session: { user, id: session_id }, id }));
  const [summary, records] = await Promise.all([memories.summary(user), memories.find(keys)]);
  const there = new Map(records.filter((record) => !isForgotten(summary, record)).map((record) => [record.id, record]));
  return wanted.flatMap(({ id }) => there.get(id) ?? []);
}

import { isForgotten } from "./forgotten.ts";
import type { Memory } from "./memory.ts";
import type { MemoryRecord } from "./record.ts";
import type { MemoryStore } from "./store.ts";

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

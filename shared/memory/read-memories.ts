import { countedIn } from "./change-memories.ts";
import { isForgotten } from "./forgotten.ts";
import { keyOf, type Memory, type MemoryRecord } from "./memory.ts";
import type { MemoryReader } from "./memory-store.ts";

interface ListOptions {
  limit: number;
  /** Id that the list continues after. */
  after?: string | undefined;
  /** Selects from the records of the page. @default all */
  select?: (records: MemoryRecord[]) => MemoryRecord[];
}

/** Lists a page of a user's memories, newest first. `last` = id to continue after; absent = last page. */
export async function listMemories(
  memories: Pick<MemoryReader, "list" | "find" | "summary">,
  user: string,
  { select = (records) => records, ...query }: ListOptions,
): Promise<{ records: MemoryRecord[]; last?: string }> {
  const [summary, page] = await Promise.all([memories.summary(user), memories.list(user, query)]);
  const selected = select(countedIn(summary, page.records));
  // The index may still hold memories that were deleted a moment ago.
  const stored = new Set((await memories.find(selected.map(keyOf))).map(({ id }) => id));
  const records = selected.filter(({ id }) => stored.has(id));
  const last = page.records.at(-1);
  return { records, ...(page.more && last ? { last: last.id } : {}) };
}

/** Finds a user's memories in the given order. Omits those that are not stored or are forgotten. */
export async function findMemories(
  memories: Pick<MemoryReader, "summary" | "find">,
  user: string,
  wanted: readonly Pick<Memory, "session_id" | "id">[],
): Promise<MemoryRecord[]> {
  const keys = wanted.map((memory) => keyOf({ user_id: user, ...memory }));
  const [summary, records] = await Promise.all([memories.summary(user), memories.find(keys)]);
  const found = new Map(records.filter((record) => !isForgotten(summary, record)).map((record) => [record.id, record]));
  return wanted.flatMap(({ id }) => found.get(id) ?? []);
}

/** Finds a user's memories by their ids, in the given order. Omits those that are not stored or are forgotten. */
export async function findByIds(
  memories: Pick<MemoryReader, "summary" | "find" | "locate">,
  user: string,
  ids: readonly string[],
): Promise<MemoryRecord[]> {
  const located = await Promise.all(
    ids.map(async (id) => {
      const session = await memories.locate(user, id);
      return session ? [{ session_id: session.id, id }] : [];
    }),
  );
  return await findMemories(memories, user, located.flat());
}

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { contended } from "../session/retry-contended.ts";
import type { SessionMemories } from "../session/store.ts";
import { changeMemories, changeSummary, countedIn } from "./change-memories.ts";
import { keyOf, type MemoryRecord } from "./memory.ts";
import {
  MAX_PER_CHANGE,
  type MemoryReader,
  type MemoryStore,
  type MemoryWriter,
  type Removal,
} from "./memory-store.ts";
import { withMemories } from "./statistics.ts";

/** Forgotten memories that are listed and deleted at a time. */
const PAGE = 100;

/** The memories of sessions, for operations that delete and reset sessions. */
export function createSessionMemories(memories: MemoryStore): SessionMemories {
  return {
    async hide(session, below, now) {
      return memories.hidingAction(session, await memories.summary(session.user), { at: now, below });
    },

    async forget(session, below) {
      for await (const { records, forgotten } of memories.ofSession(session)) {
        const gone = records.filter(({ generation }) => generation < below);
        await removeMemories(memories, session.user, gone);
        // A name prevents that its message becomes a memory again. Messages of older generations cannot, so delete their names.
        const names = forgotten.filter(({ generation }) => generation < below);
        await memories.erase(names.map(({ id }) => ({ session, id })));
      }
    },

    async forgetMessages(session, ids) {
      for await (const { records } of memories.ofSession(session)) {
        await removeMemories(
          memories,
          session.user,
          records.filter(({ message_id }) => ids.has(message_id)),
        );
      }
    },
  };
}

/** Removes one memory for good: its message will not become a memory again. Throws `not_found`. */
export async function forgetMemory(memories: MemoryReader & MemoryWriter, user: string, id: string): Promise<void> {
  const session = await memories.locate(user, id);
  const [record] = session ? await memories.find([{ session, id }]) : [];
  if (!record || record.user_id !== user) throw new AppError("not_found", "no such memory");
  await removeMemories(memories, user, [record], { keepName: true });
}

/**
 * Forgets everything that a user has said so far: after the first write no search or list shows it, and no message that was captured
 * before becomes a memory. Throws `unavailable` at `deadline` (epoch ms) if not all memories are deleted; a repeat deletes the rest.
 */
export async function forgetEverything(
  { memories, clock }: { memories: MemoryStore; clock: Clock },
  user: string,
  deadline: number,
): Promise<void> {
  const checkTime = () => {
    if (clock() > deadline) throw outOfTime();
  };
  const now = await changeSummary(memories, user, async (summary) => {
    // Read the clock after the summary: then every memory that the summary counts was captured before, so none is left uncounted.
    const time = clock();
    // A frozen function that resumes later must not forget what was said after its request was answered.
    checkTime();
    return (await memories.forgetAll(user, summary, time)) ? time : undefined;
  });
  let after: string | undefined;
  do {
    checkTime();
    const { records, more } = await memories.list(user, { limit: PAGE, after });
    await memories.erase(records.filter(({ arrived }) => arrived < now).map(keyOf));
    after = more ? records.at(-1)?.id : undefined;
  } while (after !== undefined);
}

/** Removes memories that are stored. `contended`: the tree of `options.life` has changed, and some of them are still there. */
export async function removeMemories(
  memories: MemoryReader & MemoryWriter,
  user: string,
  records: readonly MemoryRecord[],
  options: Removal = {},
): Promise<typeof contended | undefined> {
  for (let start = 0; start < records.length; start += MAX_PER_CHANGE) {
    const batch = records.slice(start, start + MAX_PER_CHANGE);
    const removed = await changeMemories(memories, user, batch, (pending, summary) => {
      const statistics = withMemories(summary.statistics, countedIn(summary, pending), -1);
      return memories.remove(pending, summary, statistics, options);
    });
    if (removed === contended) return contended;
  }
  return undefined;
}

const outOfTime = (): AppError =>
  new AppError("unavailable", "the time ran out before all memories were deleted: repeat it to delete the rest", {
    retryAfter: 1,
  });

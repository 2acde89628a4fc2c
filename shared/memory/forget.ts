import { backOff, type Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { SessionMemories } from "../session/store.ts";
import type { MemoryRecord } from "./record.ts";
import { withMemories } from "./statistics.ts";
import type { MemoryStore } from "./store.ts";

const MAX_ATTEMPTS = 12;

/** Memories deleted at a time of those that are forgotten already. */
const PAGE = 100;

/** The memories of sessions, as deleting and resetting a session uses them. */
export function createSessionMemories(memories: MemoryStore): SessionMemories {
  return {
    async hide(session, below, now) {
      return memories.hiding(session, await memories.summary(session.user), { at: now, below });
    },

    async forget(session, below) {
      for await (const { records, forgotten } of memories.ofSession(session)) {
        const gone = records.filter(({ generation }) => generation < below);
        for (let start = 0; start < gone.length; start += memories.maxPerChange) {
          await removeAll(memories, session.user, gone.slice(start, start + memories.maxPerChange), false);
        }
        // These names keep a message from becoming a memory again. No message of an older generation can, so they are not needed.
        const names = forgotten.filter(({ generation }) => generation < below);
        await memories.clearForgotten(
          session,
          names.map(({ id }) => id),
        );
      }
    },
  };
}

/** Removes one memory for good: its message will not become one again. Throws `not_found`. */
export async function forgetMemory(memories: MemoryStore, user: string, id: string): Promise<void> {
  const session = await memories.locate(user, id);
  const [record] = session ? await memories.find([{ session, id }]) : [];
  if (!record || record.user_id !== user) throw new AppError("not_found", "no such memory");
  await removeAll(memories, user, [record], true);
}

/**
 * Forgets everything that a user has said so far: from the first write on no search or list shows it, and no message that was
 * captured before becomes a memory. Throws `unavailable` when `deadline` (epoch ms) comes before all of it is deleted; repeating it goes on.
 */
export async function forgetEverything(
  { memories, clock }: { memories: MemoryStore; clock: Clock },
  user: string,
  deadline: number,
): Promise<void> {
  let now: number;
  for (let attempt = 0; ; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw busy();
    if (attempt > 0) await backOff(attempt);
    const summary = await memories.summary(user);
    // The time is taken after the summary is read: then every memory that the summary counts was captured before it, and none
    // stays that is no longer counted.
    now = clock();
    // A function that was frozen and goes on later must not forget what was said after its request was answered.
    if (now > deadline) throw busy();
    if (await memories.forgetAll(user, summary, now)) break;
  }
  let after: string | undefined;
  do {
    if (clock() > deadline) throw outOfTime();
    const { records, more } = await memories.list(user, { limit: PAGE, after });
    await memories.erase(records.filter(({ arrived }) => arrived < now));
    after = more ? records.at(-1)?.id : undefined;
  } while (after !== undefined);
}

async function removeAll(
  memories: MemoryStore,
  user: string,
  records: readonly MemoryRecord[],
  keepName: boolean,
): Promise<void> {
  let pending = [...records];
  for (let attempt = 0; pending.length > 0; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw busy();
    if (attempt > 0) await backOff(attempt);
    const summary = await memories.summary(user);
    // What was captured before everything was forgotten is not counted any more.
    const counted = pending.filter(({ arrived }) => arrived >= summary.forgottenBefore);
    const statistics = withMemories(
      summary.statistics,
      counted.map(({ counts }) => ({ counts, sign: -1 as const })),
    );
    const change = await memories.remove(pending, summary, statistics, keepName);
    if (change.kind === "done") return;
    if (change.kind === "refused") pending = pending.filter(({ id }) => !change.ids.has(id));
  }
}

const outOfTime = (): AppError =>
  new AppError("unavailable", "the time ran out before all memories were deleted: repeat it to delete the rest", {
    retryAfter: 1,
  });

const busy = (): AppError =>
  new AppError("unavailable", "too many changes of this user's memories at once", { retryAfter: 1 });

import { backOff, type Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { SessionId } from "../session/session.ts";
import type { MemoryRecord } from "./record.ts";
import { withMemories } from "./statistics.ts";
import type { ForgottenSession, MemoryStore } from "./store.ts";

const MAX_ATTEMPTS = 12;

/** Memories deleted at a time of those that are forgotten already. */
const PAGE = 100;

/** Hides what is remembered of a session from searches, at once and for as long as removing it may take. */
export async function hideSession(
  memories: MemoryStore,
  session: SessionId,
  forgotten: ForgottenSession,
): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await backOff(attempt);
    const summary = await memories.summary(session.user);
    if (summary.statistics.memories === 0 || (await memories.hideSession(session, summary, forgotten))) return;
  }
  throw busy();
}

/**
 * Removes the memories of a session that were made from generations which `keep` does not name, and what forgotten ones have left.
 * May be repeated, and run beside another.
 */
export async function forgetSession(
  memories: MemoryStore,
  session: SessionId,
  keep: (generation: number) => boolean = () => false,
): Promise<void> {
  const names: string[] = [];
  let isWhole = true;
  for await (const { records, forgotten } of memories.ofSession(session)) {
    names.push(...forgotten);
    const gone = records.filter(({ generation }) => !keep(generation));
    isWhole &&= gone.length === records.length;
    for (let start = 0; start < gone.length; start += memories.maxPerChange) {
      await removeAll(memories, session.user, gone.slice(start, start + memories.maxPerChange), false);
    }
  }
  // They guard against records that come again. Of older generations none is let in any more, so they have done their work.
  if (isWhole) await memories.clearForgotten(session, names);
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
  const now = clock();
  for (let attempt = 0; ; attempt++) {
    if (attempt === MAX_ATTEMPTS) throw busy();
    if (attempt > 0) await backOff(attempt);
    if (await memories.forgetAll(user, await memories.summary(user), now)) break;
  }
  let after: string | undefined;
  do {
    if (clock() > deadline) throw busy();
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

const busy = (): AppError =>
  new AppError("unavailable", "too many changes of this user's memories at once", { retryAfter: 1 });

import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";
import { contended } from "../session/retry-contended.ts";
import type { MemoryRecord } from "./memory.ts";
import type { Change, MemoryReader, Summary } from "./memory-store.ts";

const MAX_ATTEMPTS = 12;

type SummaryReader = Pick<MemoryReader, "summary">;

/**
 * Repeats a change with the newest summary until it returns a result. The first attempt uses `read`, if that is given. Throws
 * `unavailable` when all attempts fail.
 */
export async function changeSummary<T>(
  memories: SummaryReader,
  user: string,
  attempt: (summary: Summary) => Promise<T | undefined>,
  read?: Summary,
): Promise<T> {
  for (let n = 0; n < MAX_ATTEMPTS; n++) {
    if (n > 0) await backOff(n);
    const result = await attempt(n === 0 && read ? read : await memories.summary(user));
    if (result !== undefined) return result;
  }
  throw new AppError("unavailable", "too many concurrent changes of this user's memories: try again", {
    retryAfter: 1,
  });
}

/** Changes memories, those that the store refuses left out. Returns how many were changed; `contended` when a tree has changed. */
export async function changeMemories<T extends MemoryRecord>(
  memories: SummaryReader,
  user: string,
  records: readonly T[],
  change: (pending: readonly T[], summary: Summary) => Promise<Change>,
  read?: Summary,
): Promise<number | typeof contended> {
  if (records.length === 0) return 0;
  let pending = records;
  const attempt = async (summary: Summary) => {
    const result = await change(pending, summary);
    if (result.done) return pending.length;
    if (result.isStale) return contended;
    pending = pending.filter(({ id }) => !result.refused.has(id));
    return pending.length === 0 ? 0 : undefined;
  };
  return await changeSummary<number | typeof contended>(memories, user, attempt, read);
}

/** The memories that the statistics of a summary include: those that were captured after everything was forgotten. */
export function countedIn<T extends MemoryRecord>({ forgottenBefore }: Summary, records: readonly T[]): T[] {
  return records.filter(({ arrived }) => arrived >= forgottenBefore);
}

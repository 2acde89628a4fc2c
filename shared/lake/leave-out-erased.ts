import { userOfPart, userPart } from "../archive/user-part.ts";
import { AppError } from "../errors.ts";

/** An erasure of a user. It is listed until at least an hour after its end, which is longer than a job runs. */
export interface RecentErasure {
  id: string;
  user: string;
  isComplete: boolean;
}

export type FindErasures = () => Promise<readonly RecentErasure[]>;

/**
 * Keeps users who are being erased out of a partition that a job builds. Otherwise the job could read rows that an erasure deletes, and
 * publish them after the last search of the erasure. The job leaves out users whose erasure runs when it begins to read. Immediately before
 * it publishes, it checks that no other erasure has begun. An erasure that begins later finds the partition, because its last search waits
 * for the longest request.
 */
export async function leaveOutErased(find: FindErasures) {
  const earlier = await find();
  const running = new Set(earlier.filter(({ isComplete }) => !isComplete).map(({ user }) => nameOf(user)));
  const known = new Set(earlier.map(({ id }) => id));
  const used = new Set<string>();
  return {
    /** Whether the partition may have rows of a user. The argument is the user's name in keys of the archive. */
    mayHave(user: string): boolean {
      if (running.has(user)) return false;
      used.add(user);
      return true;
    },
    /** Throws `conflict` if an erasure of a user in the partition has begun: build it again. */
    async check(): Promise<void> {
      const begun = (await find()).some(({ id, user }) => !known.has(id) && used.has(nameOf(user)));
      if (begun)
        throw new AppError(
          "conflict",
          "an erasure of a user whose rows were read has begun: build the partition again",
        );
    },
  };
}

/** Returns the name of a user in the archive and in the lake. */
export const nameOf = (user: string): string => userOfPart(userPart(user));

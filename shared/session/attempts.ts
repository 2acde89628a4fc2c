import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";

/** What a step returns when another request came in between and the session has to be read again. */
export const contended = Symbol("contended");

/** Attempts before a client is told to come back later. */
const MAX_ATTEMPTS = 8;

/** Reads, decides and writes until nobody else's write comes in between. Throws `unavailable` when that never happens. */
export async function settled<T>(step: () => Promise<T | typeof contended>): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const result = await step();
    if (result !== contended) return result;
    await backOff(attempt, 10);
  }
  throw new AppError("unavailable", "the session is being changed by too many requests", { retryAfter: 1 });
}

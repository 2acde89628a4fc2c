import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";

/** A step returns this when another request came in between and the session must be read again. */
export const contended = Symbol("contended");

/** Attempts before a client is told to come back later. */
const MAX_ATTEMPTS = 8;

/** Repeats a step that reads, decides and writes until no other write comes in between. Throws `unavailable` when all attempts fail. */
export async function retryContended<T>(step: () => Promise<T | typeof contended>): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const result = await step();
    if (result !== contended) return result;
    await backOff(attempt, 10);
  }
  throw new AppError("unavailable", "the session is being changed by too many requests", { retryAfter: 1 });
}

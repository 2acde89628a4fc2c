import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";

/** A step returns this when another request has changed the session, so that the step runs again. */
export const contended = Symbol("contended");

/** Attempts before the client receives an error. */
const MAX_ATTEMPTS = 8;

/** Repeats a step that reads, decides and writes, until no other write interferes. Throws `unavailable` when all attempts fail. */
export async function retryContended<T>(step: () => Promise<T | typeof contended>): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const result = await step();
    if (result !== contended) return result;
    await backOff(attempt, 10);
  }
  throw new AppError("unavailable", "too many requests are changing the session: try again later", { retryAfter: 1 });
}

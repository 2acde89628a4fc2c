import { behindGate } from "../dynamodb/gate-writes.ts";
import { AppError } from "../errors.ts";
import type { Person } from "./person.ts";

/** Seconds after which a refused client may try again: most erasures take some minutes. */
const RETRY = 60;

/**
 * Runs the work of a request. Its reads start at once. Its writes wait until the person's record is read. Throws `being_erased` if an
 * erasure runs, also when the work itself has failed or succeeded.
 */
export async function refuseWrites<T>(person: Promise<Person>, work: () => Promise<T>): Promise<T> {
  const allowed = person.then(({ erasing }) => {
    if (erasing !== undefined) throw beingErased();
  });
  const done = behindGate(allowed, work);
  // Wait for the work, so that it releases what it holds before the function answers.
  await Promise.allSettled([allowed, done]);
  await allowed;
  return done;
}

export function beingErased(): AppError {
  return new AppError(
    "being_erased",
    "The data of this user is being erased. Try again when the erasure is complete.",
    {
      retryAfter: RETRY,
    },
  );
}

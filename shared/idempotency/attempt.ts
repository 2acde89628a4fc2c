import type { Clock } from "../clock.ts";
import { AppError, invalidInput } from "../errors.ts";
import { sha256 } from "../hash.ts";
import { type NewId, randomId } from "../random.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { Begun, IdempotencyStore, KeptAnswer } from "./idempotency-store.ts";

/** The form of an `Idempotency-Key`. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Milliseconds after the end of its function after which an attempt counts as dead. It is not zero, because clocks differ. */
export const LOCK_MARGIN = 1000;

export interface IdempotencyDependencies {
  /** Absent = keys have no effect. */
  store: IdempotencyStore | undefined;
  clock: Clock;
  /** @default randomId */
  newId?: NewId | undefined;
}

/** A request that a client may repeat. */
export interface Repeatable {
  user: string;
  /** The value of the header `Idempotency-Key`, or a key that the server derives; absent = every request is a new one. */
  key: string | undefined;
  /** Method, path, query and body. */
  request: readonly unknown[];
  /** Milliseconds until the function is stopped, or until an attempt that has stored nothing counts as dead. */
  remaining: number;
  /** Seconds in which a repeat is the same request. @default the retention of idempotency records */
  seconds?: number;
  /** Whether the request is new even if an earlier one had the same key. */
  isNew?: boolean;
}

/** One attempt at a request with a key. */
interface Attempt {
  /** Claims the request, or returns its state. May be repeated. Throws `idempotency_mismatch`. */
  begin(): Promise<Exclude<Begun, { kind: "mismatch" }>>;
  /** Keeps the answer for repeats. */
  finish(answer: KeptAnswer): Promise<void>;
  /** Ends the claim, so that a repeat runs at once. */
  release(): Promise<void>;
}

/**
 * Starts an attempt. `identity` is the request's identity if this attempt is the first one. A request without a key needs no claim. Throws
 * `validation_failed` for an invalid key.
 */
export function startAttempt(
  { store, clock, newId = randomId }: IdempotencyDependencies,
  { user, key, request, remaining, seconds, isNew }: Repeatable,
): { identity: RequestIdentity; attempt?: Attempt } {
  const identity = { seed: newId(), at: clock() };
  if (!store || key === undefined) return { identity };
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw invalidInput({ path: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" });
  }
  const hashed = sha256(key);
  const digest = sha256(JSON.stringify(request));
  let { seed } = identity;
  return {
    identity,
    attempt: {
      async begin() {
        const now = clock();
        const lockedUntil = now + remaining + LOCK_MARGIN;
        const begun = await store.begin(user, hashed, { digest, identity, lockedUntil, now, seconds, replaces: isNew });
        if (begun.kind === "mismatch") {
          throw new AppError("idempotency_mismatch", "this Idempotency-Key was used for another request");
        }
        if (begun.kind === "run") seed = begun.identity.seed;
        return begun;
      },
      finish: (answer) => store.finish(user, hashed, seed, answer),
      release: () => store.release(user, hashed, seed),
    },
  };
}

/** Whether an error is kept for repeats. An error that may not occur again is not kept. */
export function isFinal(error: unknown): error is AppError {
  return error instanceof AppError && error.status < 500 && error.status !== 429 && !error.retryAfter;
}

/** The error for a repeat while the first attempt runs. */
export function stillRunning(): AppError {
  return new AppError("conflict", "an earlier attempt at this request is still running", { retryAfter: 1 });
}

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import {
  type IdempotencyStore,
  isFinal,
  type KeptAnswer,
  LOCK_MARGIN,
  namesOf,
  type Repeatable,
} from "../http/idempotency.ts";
import { type Problem, problemOf } from "../http/problem.ts";
import { type NewId, randomId } from "../random.ts";
import type { RequestIdentity } from "../session/session.ts";

/**
 * Who a turn belongs to. `first`: this request. `taken`: this request too, after another attempt at it that may have got anywhere.
 * `followed`: an attempt that is under way. `answered`: an attempt whose answer was stored, and may have been deleted since.
 */
export interface Claim {
  kind: "first" | "taken" | "followed" | "answered";
  identity: RequestIdentity;
}

export interface TurnClaims {
  /** May be asked again. Throws `idempotency_mismatch`, `validation_failed`, and what a first attempt was refused with. */
  claim(): Promise<Claim>;
  /** The answer is stored in the session: repeats look for it there, and do not run the turn again. */
  keep(): Promise<void>;
  /**
   * This attempt has failed. What no repeat would change is kept, and is what repeats are told; else a repeat may run at once. Does
   * nothing when the turn belongs to another attempt.
   */
  release(error: unknown): Promise<void>;
}

/**
 * Makes a request with an `Idempotency-Key` one turn, however often it comes. What is kept is only which turn that is: its answer is
 * stored in the session, and a repeat streams it from there.
 */
export function claimsOf(
  { store, clock, newId = randomId }: { store: IdempotencyStore; clock: Clock; newId?: NewId | undefined },
  { user, key, request, remaining }: Repeatable,
): TurnClaims {
  const mine = { seed: newId(), at: clock() };
  if (key === undefined)
    return {
      claim: async () => ({ kind: "first", identity: mine }),
      keep: async () => undefined,
      release: async () => undefined,
    };
  const { hashed, digest } = namesOf(key, request);
  let isMine = false;
  return {
    async claim() {
      const now = clock();
      const begun = await store.begin(user, hashed, digest, mine, now + remaining + LOCK_MARGIN, now);
      isMine = begun.kind === "run";
      if (begun.kind === "mismatch") {
        throw new AppError("idempotency_mismatch", "this Idempotency-Key was used for another request");
      }
      if (begun.kind === "answered") {
        if (begun.answer.status >= 400) throw refusalIn(begun.answer);
        return { kind: "answered", identity: begun.identity };
      }
      if (begun.kind === "run") {
        return { kind: begun.identity.seed === mine.seed ? "first" : "taken", identity: begun.identity };
      }
      if (begun.identity) return { kind: "followed", identity: begun.identity };
      throw stillRunning();
    },

    async keep() {
      // Without this mark a repeat still finds the answer. Only after a deletion it would run the turn again.
      if (isMine) await store.finish(user, hashed, { status: 200, headers: {}, body: "" }).catch(() => undefined);
    },

    async release(error) {
      if (!isMine) return;
      isMine = false;
      const done = isFinal(error) ? store.finish(user, hashed, toAnswer(error)) : store.release(user, hashed);
      await done.catch(() => undefined);
    },
  };
}

/** What a repeat is told that comes before there is a turn to follow. */
export const stillRunning = (): AppError =>
  new AppError("conflict", "the first request with this Idempotency-Key is still running", { retryAfter: 1 });

const toAnswer = (error: AppError): KeptAnswer => ({
  status: error.status,
  headers: error.headers,
  body: JSON.stringify(problemOf(error, "")),
});

function refusalIn({ headers, body }: KeptAnswer): AppError {
  const { code, detail, errors = [] } = JSON.parse(body) as Problem;
  return new AppError(code, detail, { fields: errors, headers: { ...headers, "idempotency-replayed": "true" } });
}

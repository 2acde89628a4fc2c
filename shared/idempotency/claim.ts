import type { Clock } from "../clock.ts";
import { AppError, type ErrorCode, type FieldError } from "../errors.ts";
import { type NewId, randomId } from "../random.ts";
import type { RequestIdentity } from "../session/session.ts";
import { type IdempotencyStore, isFinal, type KeptAnswer, LOCK_MARGIN, namesOf, type Repeatable } from "./run-once.ts";

/**
 * Which attempt at a request owns its turn. `first`: this one. `taken`: this one, because an earlier attempt died or failed at an unknown
 * step. `followed`: another attempt that is running. `answered`: another attempt, whose answer was stored and may be deleted by now.
 */
export interface Claim {
  kind: "first" | "taken" | "followed" | "answered";
  identity: RequestIdentity;
}

export interface TurnClaims {
  /** Claims the turn; may be repeated. Throws `idempotency_mismatch`, `validation_failed`, and the refusal of the first attempt. */
  claim(): Promise<Claim>;
  /** Notes that the answer is stored, so that repeats read it from the session. Never rejects. */
  keep(): Promise<void>;
  /**
   * Ends the claim after a failure. A final refusal is kept for repeats; after any other error a repeat may run at once. Does nothing
   * when another attempt owns the turn.
   */
  release(error: unknown): Promise<void>;
}

/**
 * Makes all attempts at a request with an `Idempotency-Key` one turn. The claim holds only the identity of the turn. The answer is
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
      // A lost mark is harmless: a repeat still finds the answer. Only after the answer was deleted would a repeat run the turn again.
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

/** The error for a repeat that arrives before there is a turn to follow. */
export const stillRunning = (): AppError =>
  new AppError("conflict", "the first request with this Idempotency-Key is still running", { retryAfter: 1 });

/** A refusal as it is kept for repeats. */
interface Refusal {
  code: ErrorCode;
  detail: string;
  errors?: FieldError[];
}

const toAnswer = (error: AppError): KeptAnswer => ({
  status: error.status,
  headers: error.headers,
  body: JSON.stringify({ code: error.code, detail: error.message, errors: error.fields } satisfies Refusal),
});

function refusalIn({ headers, body }: KeptAnswer): AppError {
  const { code, detail, errors = [] } = JSON.parse(body) as Refusal;
  return new AppError(code, detail, { fields: errors, headers: { ...headers, "idempotency-replayed": "true" } });
}

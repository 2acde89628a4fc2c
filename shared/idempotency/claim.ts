import { AppError, type ErrorCode, type FieldError } from "../errors.ts";
import type { RequestIdentity } from "../session/session.ts";
import { type IdempotencyDependencies, isFinal, type Repeatable, startAttempt, stillRunning } from "./attempt.ts";
import type { KeptAnswer } from "./idempotency-store.ts";

/**
 * The attempt of a request that owns its turn:
 * - `first`: this attempt.
 * - `taken`: this attempt, because an earlier one was killed or failed at an unknown step.
 * - `followed`: another attempt that is running.
 * - `answered`: another attempt. Its answer was stored, and can be deleted since.
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
 * Makes one turn of all attempts of a request with a key. The claim has only the identity of the turn. The answer is stored in the session,
 * and a repeat streams it from there. `own` is the identity of a turn that no earlier attempt can have begun, so it is known before the
 * claim.
 */
export function claimsOf(
  deps: IdempotencyDependencies,
  repeatable: Repeatable,
): TurnClaims & { own?: RequestIdentity } {
  const { identity, attempt } = startAttempt(deps, repeatable);
  let mine: Claim | undefined;
  return {
    ...(repeatable.isNew || !attempt ? { own: identity } : {}),

    async claim() {
      if (!attempt) return { kind: "first", identity };
      if (mine) return mine;
      const begun = await attempt.begin();
      if (begun.kind === "run") {
        mine = { kind: begun.identity.seed === identity.seed ? "first" : "taken", identity: begun.identity };
        return mine;
      }
      if (begun.kind === "answered") {
        if (begun.answer.status >= 400) throw refusalIn(begun.answer);
        return { kind: "answered", identity: begun.identity };
      }
      if (begun.identity) return { kind: "followed", identity: begun.identity };
      throw stillRunning();
    },

    async keep() {
      // Ignore a failure: a repeat finds the answer without this mark. A repeat runs the turn again only if the answer was deleted.
      if (mine) await attempt?.finish({ status: 200, headers: {}, body: "" }).catch(() => undefined);
    },

    async release(error) {
      if (!mine) return;
      mine = undefined;
      const done = isFinal(error) ? attempt?.finish(toAnswer(error)) : attempt?.release();
      await done?.catch(() => undefined);
    },
  };
}

/** A refusal as it is kept for repeats. */
interface Refusal {
  code: ErrorCode;
  detail: string;
  errors?: readonly FieldError[];
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

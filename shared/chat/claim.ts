import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { type IdempotencyStore, LOCK_MARGIN, namesOf, type Repeatable } from "../http/idempotency.ts";
import type { RequestIdentity } from "../session/session.ts";

/**
 * Who a turn belongs to. `first`: this request. `taken`: this request too, after another attempt at it that may have got anywhere.
 * `followed`: an attempt that is under way.
 */
export interface Claim {
  kind: "first" | "taken" | "followed";
  identity: RequestIdentity;
}

export interface TurnClaims {
  /** Throws `idempotency_mismatch`, `validation_failed`. */
  claim(): Promise<Claim>;
  /** Lets a repeat run at once: this attempt has failed. */
  release(): Promise<void>;
}

/**
 * Makes a request with an `Idempotency-Key` one turn, however often it comes. What is kept is only which turn that is: its answer is
 * stored in the session, and a repeat streams it from there.
 */
export function claimsOf(
  { store, clock }: { store: IdempotencyStore; clock: Clock },
  { user, key, request, remaining }: Repeatable,
): TurnClaims {
  const mine = { seed: randomUUID(), at: clock() };
  if (key === undefined)
    return { claim: async () => ({ kind: "first", identity: mine }), release: async () => undefined };
  const { hashed, digest } = namesOf(key, request);
  return {
    async claim() {
      const now = clock();
      const begun = await store.begin(user, hashed, digest, mine, now + remaining + LOCK_MARGIN, now);
      if (begun.kind === "mismatch") {
        throw new AppError("idempotency_mismatch", "this Idempotency-Key was used for another request");
      }
      if (begun.kind === "run") {
        return { kind: begun.identity.seed === mine.seed ? "first" : "taken", identity: begun.identity };
      }
      if (begun.kind === "running" && begun.identity) return { kind: "followed", identity: begun.identity };
      throw new AppError("conflict", "the first request with this Idempotency-Key is still running", { retryAfter: 1 });
    },
    release: () => store.release(user, hashed).catch(() => undefined),
  };
}

import type { RequestIdentity } from "../session/session.ts";

/** An answer as it is kept for repeats. */
export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The state of a request that a client named by an `Idempotency-Key`. */
export type Begun =
  /** The caller runs it, with this identity: the identity of the first attempt. */
  | { kind: "run"; identity: RequestIdentity }
  | { kind: "answered"; identity: RequestIdentity; answer: KeptAnswer }
  /** Another attempt runs it. The identity is absent when the record is new and could not be read. */
  | { kind: "running"; identity?: RequestIdentity }
  /** The key names another request. */
  | { kind: "mismatch" };

/** One record per request with an `Idempotency-Key`. `key` is the hash of the client's key. */
export interface IdempotencyStore {
  /**
   * Claims the request. `digest` tells one request from another. The claim ends at `lockedUntil` (epoch milliseconds); the next
   * attempt after that runs the request with the identity of the first one.
   */
  begin(
    user: string,
    key: string,
    digest: string,
    identity: RequestIdentity,
    lockedUntil: number,
    now: number,
  ): Promise<Begun>;
  /** Keeps the answer for repeats. */
  finish(user: string, key: string, answer: KeptAnswer): Promise<void>;
  /** Ends the claim, so that a repeat runs at once. */
  release(user: string, key: string): Promise<void>;
}

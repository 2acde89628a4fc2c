import type { RequestIdentity } from "../session/session.ts";

/** An answer as it is kept for repeats. */
export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The state of a request that a client may repeat. */
export type Begun =
  /** The caller runs it, with this identity: the identity of the first attempt. */
  | { kind: "run"; identity: RequestIdentity }
  | { kind: "answered"; identity: RequestIdentity; answer: KeptAnswer }
  /** Another attempt runs it. The identity is absent when the record is new and could not be read. */
  | { kind: "running"; identity?: RequestIdentity }
  /** The key names another request. */
  | { kind: "mismatch" };

interface ClaimRequest {
  /** The hash of the request, which another request does not have. */
  digest: string;
  identity: RequestIdentity;
  /** Epoch milliseconds at which the claim ends. The next attempt after that runs the request with the identity of the first one. */
  lockedUntil: number;
  /** Epoch milliseconds. */
  now: number;
  /** How long the record is kept. @default the retention of idempotency records */
  seconds?: number | undefined;
  /** Starts a new request also when the key has a record. */
  replaces?: boolean | undefined;
}

/**
 * Stores one record per request that a client may repeat. `key` is the hash of the request's key. `seed` is the seed of the first attempt: if
 * another request has replaced the record, a write with the old seed changes nothing.
 */
export interface IdempotencyStore {
  /** Claims the request. */
  begin(user: string, key: string, claim: ClaimRequest): Promise<Begun>;
  /** Keeps the answer for repeats. */
  finish(user: string, key: string, seed: string, answer: KeptAnswer): Promise<void>;
  /** Ends the claim, so that a repeat runs at once. */
  release(user: string, key: string, seed: string): Promise<void>;
}

import { createHash } from "node:crypto";
import { type Clock, sleep } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { NewId } from "../random.ts";
import type { RequestIdentity } from "../session/session.ts";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /**
   * Gives what is kept for repeats in place of the body: ids and times, by which a repeat reads the content again. So a kept
   * answer never holds content that was deleted since. @default the body, which then must not hold content
   */
  keep?: () => Promise<string>;
}

/** An answer as it is kept: `body` is what `Answer.keep` gives. */
export type KeptAnswer = Omit<Answer, "keep">;

/** What is known of a request that a client named by an `Idempotency-Key`. */
export type Begun =
  /** Nobody else runs it: run it with this identity, which is that of the first attempt. */
  | { kind: "run"; identity: RequestIdentity }
  | { kind: "answered"; identity: RequestIdentity; answer: KeptAnswer }
  | { kind: "running"; identity?: RequestIdentity }
  | { kind: "mismatch" };

/** Requests that can be repeated. `key` is the hash of the client's key. */
export interface IdempotencyStore {
  /** `digest` tells one request from another; the run belongs to the caller until `lockedUntil` (epoch ms). */
  begin(
    user: string,
    key: string,
    digest: string,
    identity: RequestIdentity,
    lockedUntil: number,
    now: number,
  ): Promise<Begun>;
  finish(user: string, key: string, answer: KeptAnswer): Promise<void>;
  /** Lets a repeat run at once, with the identity of the first attempt. */
  release(user: string, key: string): Promise<void>;
}

/** What an `Idempotency-Key` looks like. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Milliseconds that a repeat waits for the first attempt before it is told to come back. */
const PATIENCE = 5000;
const POLL = 150;

/** Milliseconds beyond the function's own time after which a run counts as dead. */
export const LOCK_MARGIN = 1000;

export interface Repeatable {
  user: string;
  /** The header's value; absent = the request is not to be told from others. */
  key: string | undefined;
  /** Method, path, query and body. */
  request: readonly unknown[];
  /** Milliseconds until the function is stopped. */
  remaining: number;
}

/** The two ways in which a request is answered. */
export interface Once {
  run(identity: RequestIdentity): Promise<Answer>;
  /** Makes the first answer again from what was kept of it. Throws `not_found` when its content was deleted. */
  repeat(kept: KeptAnswer): Promise<Answer>;
}

/**
 * Runs a request once per key. A repeat gets the first answer. A repeat that meets a running first attempt waits for it. A
 * repeat whose first attempt died runs with the same identity, so that ids and times come out the same. Answers of
 * 5xx and those that say when to come back are not kept. Throws `validation_failed`, `idempotency_mismatch`, `conflict`.
 */
export async function once(
  { store, clock, newId }: { store: IdempotencyStore; clock: Clock; newId: NewId },
  { user, key, request, remaining }: Repeatable,
  { run, repeat }: Once,
): Promise<Answer> {
  const identity = { seed: newId(), at: clock() };
  if (key === undefined) return run(identity);
  const { hashed, digest } = namesOf(key, request);
  const giveUp = clock() + PATIENCE;
  for (;;) {
    const now = clock();
    const begun = await store.begin(user, hashed, digest, identity, now + remaining + LOCK_MARGIN, now);
    if (begun.kind === "mismatch") {
      throw new AppError("idempotency_mismatch", "this Idempotency-Key was used for another request");
    }
    if (begun.kind === "answered") {
      const answer = await repeat(begun.answer);
      return { ...answer, headers: { ...answer.headers, "idempotency-replayed": "true" } };
    }
    if (begun.kind === "run") return runAndKeep(store, user, hashed, () => run(begun.identity));
    if (now > giveUp) {
      throw new AppError("conflict", "the first request with this Idempotency-Key is still running", { retryAfter: 1 });
    }
    await sleep(POLL);
  }
}

/** Whether a refusal is an answer like any other, which no repeat would change. What can be tried again is not. */
export const isFinal = (error: unknown): error is AppError =>
  error instanceof AppError && error.status < 500 && error.status !== 429 && !error.retryAfter;

/** The hashes that a store knows a client's key and its request by. Throws `validation_failed`. */
export function namesOf(key: string, request: readonly unknown[]): { hashed: string; digest: string } {
  if (!IDEMPOTENCY_KEY.test(key)) throw badKey();
  return { hashed: sha256(key), digest: sha256(JSON.stringify(request)) };
}

async function runAndKeep(
  store: IdempotencyStore,
  user: string,
  key: string,
  run: () => Promise<Answer>,
): Promise<Answer> {
  let answer: Answer;
  try {
    answer = await run();
  } catch (error) {
    await store.release(user, key).catch(() => undefined);
    throw error;
  }
  // An answer that could not be kept is not lost: a repeat runs again with the same identity, to the same effect.
  await (answer.status < 500 ? keepAnswer(store, user, key, answer) : store.release(user, key)).catch(() => undefined);
  return answer;
}

async function keepAnswer(store: IdempotencyStore, user: string, key: string, answer: Answer): Promise<void> {
  const { keep, ...kept } = answer;
  await store.finish(user, key, keep ? { ...kept, body: await keep() } : kept);
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const badKey = (): AppError =>
  new AppError("validation_failed", "Idempotency-Key: must be 1 to 255 visible ASCII characters", {
    fields: [{ path: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" }],
  });

import { sleep } from "../clock.ts";
import type { RequestIdentity } from "../session/session.ts";
import { type IdempotencyDependencies, type Repeatable, startAttempt, stillRunning } from "./attempt.ts";
import type { KeptAnswer } from "./idempotency-store.ts";

/** Milliseconds that a repeat waits for the first attempt before it is refused. */
const PATIENCE = 5000;
const POLL = 150;

export interface Answer extends KeptAnswer {
  /**
   * Returns the text to keep instead of the body: ids and times, with which a repeat reads the content again. A kept answer must not have
   * content, because it still exists after a deletion. @default the body
   */
  keep?: () => Promise<string>;
}

/** The two ways to answer a request. */
interface Answering {
  run(identity: RequestIdentity): Promise<Answer>;
  /** Makes the first answer again from the kept text. Throws `not_found` when its content was deleted. */
  repeat(kept: KeptAnswer): Promise<Answer>;
}

/**
 * Runs a request once per key. A repeat gets the first answer, and waits for it while the first attempt runs. If that attempt was killed, the
 * repeat runs with its identity, so that ids and times are the same. A thrown error and an answer of 5xx are not kept. Throws
 * `validation_failed`, `idempotency_mismatch`, `conflict`.
 */
export async function runOnce(
  deps: IdempotencyDependencies,
  repeatable: Repeatable,
  { run, repeat }: Answering,
): Promise<Answer> {
  const { identity, attempt } = startAttempt(deps, repeatable);
  if (!attempt) return run(identity);
  const giveUp = deps.clock() + PATIENCE;
  let begun = await attempt.begin();
  while (begun.kind === "running") {
    if (deps.clock() > giveUp) throw stillRunning();
    await sleep(POLL);
    begun = await attempt.begin();
  }
  if (begun.kind === "answered") {
    const answer = await repeat(begun.answer);
    return { ...answer, headers: { ...answer.headers, "idempotency-replayed": "true" } };
  }
  let answer: Answer;
  try {
    answer = await run(begun.identity);
  } catch (error) {
    await attempt.release().catch(() => undefined);
    throw error;
  }
  const keepAnswer = async ({ keep, ...kept }: Answer) => attempt.finish(keep ? { ...kept, body: await keep() } : kept);
  // If the answer cannot be kept, a repeat runs again with the same identity, to the same effect.
  await (answer.status < 500 ? keepAnswer(answer) : attempt.release()).catch(() => undefined);
  return answer;
}

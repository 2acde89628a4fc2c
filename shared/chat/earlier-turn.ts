import { sleep } from "../clock.ts";
import { AppError } from "../errors.ts";
import { type Claim, stillRunning } from "./claim.ts";
import type { ChatStores } from "./finish-turn.ts";
import { followTurn } from "./follow-turn.ts";
import type { Turn, TurnRequest } from "./turn.ts";

/** Looks at an attempt that has not come as far as its turn yet, and milliseconds between two. */
const LOOKS = 25;
const POLL = 200;

/**
 * The turn that another attempt at the same request has run or runs; `null` = this one is to run it. An attempt that has only just
 * begun is waited for, and one that fails is taken over. `id` is the answer's. Throws `not_found` when the answer or its session was
 * deleted, `conflict`, and what the attempt was refused with.
 */
export async function earlierTurn(
  stores: ChatStores,
  request: TurnRequest,
  id: string,
  first: Claim,
): Promise<Turn | null> {
  let claim = first;
  for (let look = 1; claim.kind !== "first"; look++) {
    const following = followTurn(stores, request.session, id, request.deadline, request.onStored);
    const turn = await following.catch((error: unknown) => {
      // The attempt may be about to create the session.
      if (request.create && error instanceof AppError && error.code === "not_found") return null;
      throw error;
    });
    if (turn || claim.kind === "taken") return turn;
    if (claim.kind === "answered") throw new AppError("not_found", "the answer was deleted");
    if (look === LOOKS) throw stillRunning();
    await sleep(POLL);
    claim = await request.claims.claim();
  }
  return null;
}

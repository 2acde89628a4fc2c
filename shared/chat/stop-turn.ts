import { sleep } from "../clock.ts";
import type { MessageRecord } from "../session/message.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import type { SessionId, SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/store.ts";
import { answered, partialAnswer } from "./end-turn.ts";
import { runningTurns } from "./follow-turn.ts";
import type { ChatStores } from "./turn.ts";
import type { TurnId } from "./turn-store.ts";

export type StopDependencies = Pick<ChatStores, "sessions" | "turns" | "clock">;

/** How often a stop looks whether the turn has ended, and the milliseconds in between. */
const LOOKS = 20;
const LOOK_EVERY = 150;

/**
 * Stops the turns of a session that are running, whichever function instances run them, and resolves when they have ended. Gives the
 * newest answer that was stopped; `null`: no turn was running, or all ended by themselves first.
 */
export async function stopTurns(
  stores: StopDependencies,
  session: SessionId,
  onStored?: OnStored,
): Promise<MessageRecord | null> {
  const record = await stores.sessions.find(session);
  const running = record ? runningTurns(record, stores.clock()) : [];
  const answers = await Promise.all(running.map((id) => stopTurn(stores, record as SessionRecord, id, onStored)));
  return answers.find((answer) => answer?.status === "stopped") ?? null;
}

async function stopTurn(
  stores: StopDependencies,
  { user_id: user, id, generation, turns }: SessionRecord,
  answer: string,
  onStored?: OnStored,
): Promise<MessageRecord | null> {
  const turn = { user, id, generation, answer, branch: turns?.[answer]?.branch ?? 0 };
  await stores.turns.stop(turn, stores.clock());
  for (let look = 1; look <= LOOKS; look++) {
    await sleep(LOOK_EVERY);
    const isRunning = (await stores.sessions.find(turn))?.turns?.[answer] !== undefined;
    if (!isRunning) return stores.turns.find(turn, generation, answer);
  }
  return endForDead(stores, turn, onStored);
}

/** Ends a turn whose function does not react: most likely it died. If it does react later, it finds the answer that is stored here. */
async function endForDead(stores: StopDependencies, turn: TurnId, onStored?: OnStored): Promise<MessageRecord | null> {
  const { turns, sessions, clock } = stores;
  const saved = await turns.findText(turn);
  const answer = partialAnswer(turn, { text: "", model: "", ...saved, isStopped: true });
  return retryContended(async () => {
    const current = await sessions.find(turn);
    if (current?.generation !== turn.generation || !current.turns?.[turn.answer]) {
      return turns.find(turn, turn.generation, turn.answer);
    }
    if (await turns.save(turn, answer)) onStored?.({ messages: 1 });
    return (await turns.close(turn, current, answered(turn), clock()))
      ? turns.find(turn, turn.generation, turn.answer)
      : contended;
  });
}

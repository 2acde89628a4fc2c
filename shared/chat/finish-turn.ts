import { isDeepStrictEqual } from "node:util";
import { AppError } from "../errors.ts";
import { contended, settled } from "../session/attempts.ts";
import type { MessageRecord } from "../session/message.ts";
import { readSession } from "../session/read-session.ts";
import { restoreSession } from "../session/renew-session.ts";
import { expiryOf, type SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/stored.ts";
import type { Stores } from "../session/stores.ts";
import type { TurnId, TurnStore } from "./turn-store.ts";

/** What a turn needs of the stores. */
export type ChatStores = Stores & { turns: TurnStore };

/**
 * Stores the answer of a turn and ends it. The answer is written first: should the function die before the header is, the next turn
 * finds it and counts it. `keep` is called as soon as the answer is stored. The answer goes where its question is: into a session that was archived in between, which is restored; not
 * into one that was reset. Throws `not_found` when the session was deleted.
 */
export async function finishTurn(
  stores: ChatStores,
  turn: TurnId,
  record: SessionRecord,
  question: MessageRecord,
  answer: MessageRecord,
  keep: () => Promise<void> = async () => undefined,
  onStored?: OnStored,
): Promise<MessageRecord> {
  const { turns, clock } = stores;
  const isNew = await turns.save(turn, answer);
  const stored = isNew ? answer : ((await turns.find(turn, turn.generation, turn.answer)) ?? answer);
  // If the first answer of the store was lost and the SDK has sent the write again, then what is there is this very answer.
  const isMine = isNew || isDeepStrictEqual(stored, answer);
  const finished = (): MessageRecord => {
    if (isMine) onStored?.({ messages: 1 });
    return stored;
  };
  const [isClosed] = await Promise.all([turns.close(turn, record, 2, clock()), keep()]);
  if (isClosed) return finished();
  return settled(async () => {
    const current = await stillThere(stores, turn);
    if (!current) {
      await turns.discard(turn);
      throw new AppError("not_found", "the session was deleted");
    }
    if (current.generation === turn.generation) {
      // Counted by somebody who took the turn for dead, or closed by an attempt whose answer was lost.
      if (!current.turns?.[turn.answer]) return finished();
      return (await turns.close(turn, current, 2, clock())) ? finished() : contended;
    }
    await turns.discard(turn);
    if (!(await turns.find(turn, current.generation, question.id))) return stored;
    const now = clock();
    const appended = await stores.messages.append({
      record: current,
      messages: [stored],
      now,
      expiresAt: expiryOf(current, now),
    });
    return appended.kind === "stale" ? contended : finished();
  });
}

/** Ends a turn that has no answer. Its question stays, and counts; a repeat of the request may take it up. */
export async function abandonTurn(stores: ChatStores, turn: TurnId, record: SessionRecord): Promise<void> {
  await stores.turns.close(turn, record, 1, stores.clock()).catch(() => false);
}

async function stillThere(stores: ChatStores, turn: TurnId): Promise<SessionRecord | null> {
  const state = await readSession(stores, turn);
  if (state.kind === "none") return null;
  return state.kind === "active" ? state.record : restoreSession(stores, turn);
}

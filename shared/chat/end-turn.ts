import { isDeepStrictEqual } from "node:util";
import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { type MessageRecord, madePosition, timeOf } from "../session/message.ts";
import { openMessages } from "../session/message-source.ts";
import { isInPlace, readSession } from "../session/read-session.ts";
import { restoreSession } from "../session/restore-session.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import { expiryOf, type SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/store.ts";
import { isOn, type Place, placeOf, wholeTree } from "../session/tree.ts";
import type { ChatStores } from "./turn.ts";
import type { DeadTurn, LiveText, TurnId, TurnStore } from "./turn-store.ts";

/** What a turn has stored when it has an answer. */
export const answered = ({ answer, branch = 0 }: TurnId): { count: number; last: Place } => ({
  count: 2,
  last: { branch, position: madePosition(answer), id: answer },
});

export interface Ending {
  turn: TurnId;
  /** The header as it was read. */
  record: SessionRecord;
  question: MessageRecord;
  answer: MessageRecord;
  /** Called once the answer is stored. Never rejects. */
  keep(): Promise<void>;
  onStored: OnStored | undefined;
}

/**
 * Stores the answer of a turn and ends the turn. The answer is written before the header, so that the next turn finds and counts the
 * answer if the function dies in between. A session that was archived meanwhile is restored. An answer whose question was removed by a
 * reset is discarded. Throws `not_found` when the session was deleted.
 */
export async function finishTurn(stores: ChatStores, ending: Ending): Promise<MessageRecord> {
  const { turns, clock } = stores;
  const { turn, record, question, answer, keep, onStored } = ending;
  const isNew = await turns.save(turn, answer);
  const stored = isNew ? answer : ((await turns.find(turn, turn.generation, turn.answer)) ?? answer);
  // This answer is stored already: the SDK repeated the write because the first response was lost.
  const isMine = isNew || isDeepStrictEqual(stored, answer);
  const finished = (): MessageRecord => {
    if (isMine) onStored?.({ messages: 1 });
    return stored;
  };
  const [isClosed] = await Promise.all([turns.close(turn, record, answered(turn), clock()), keep()]);
  if (isClosed) return finished();
  return retryContended(async () => {
    const current = await hotRecord(stores, turn);
    if (!current) {
      await turns.discard(turn);
      throw new AppError("not_found", "the session was deleted");
    }
    if (current.generation === turn.generation) {
      if (current.turns?.[turn.answer]) {
        return (await turns.close(turn, current, answered(turn), clock())) ? finished() : contended;
      }
      // The header no longer has the mark of the turn: another request counted the turn as dead, the response to `close` was lost, or the question was deleted.
      const { tree } = await openMessages(stores, turn, { kind: "active", record: current });
      if (isOn(wholeTree(tree), stored)) return finished();
      await turns.discard(turn);
      return stored;
    }
    // A new generation: append the answer if its question is there.
    await turns.discard(turn);
    const { locate } = await openMessages(stores, turn, { kind: "active", record: current });
    if (!(await locate(question.id))) {
      // The session may have been archived again, with the question.
      return (await isInPlace(stores, turn, { kind: "active", record: current })) ? stored : contended;
    }
    const now = clock();
    const expiresAt = expiryOf(current, now);
    const appended = await stores.messages.append({ record: current, messages: [stored], now, expiresAt });
    return appended.kind === "stale" ? contended : finished();
  });
}

/** Ends a turn that has no answer. Its question stays and is counted; a repeat of the request may continue with it. Never rejects. */
export async function abandonTurn(
  stores: ChatStores,
  turn: TurnId,
  record: SessionRecord,
  question: MessageRecord,
): Promise<void> {
  const last = { ...placeOf(question), branch: turn.branch ?? 0 };
  await stores.turns.close(turn, record, { count: 1, last }, stores.clock()).catch(() => false);
}

/**
 * Finds the stored messages of turns whose function was killed: the answer that was not counted yet, or the part of it that was saved for
 * clients that reconnect. The part is stored as an incomplete answer.
 */
export async function collectDeadTurns(
  turns: TurnStore,
  record: SessionRecord,
  now: number,
  onStored?: OnStored,
): Promise<DeadTurn[]> {
  const dead = Object.entries(record.turns ?? {}).filter(([, { until }]) => until <= now);
  return Promise.all(
    dead.map(async ([answer, { branch }]) => {
      const turn = { user: record.user_id, id: record.id, generation: record.generation, answer, branch };
      return { answer, messages: (await hasAnswer(turns, turn, onStored)) ? 2 : 1 };
    }),
  );
}

async function hasAnswer(turns: TurnStore, turn: TurnId, onStored?: OnStored): Promise<boolean> {
  if (await turns.find(turn, turn.generation, turn.answer)) return true;
  const saved = await turns.findText(turn);
  if (!saved || (saved.text === "" && !saved.isStopped)) return false;
  if (await turns.save(turn, partialAnswer(turn, saved))) onStored?.({ messages: 1 });
  return true;
}

/** The answer of a turn that its function did not end, as far as it was saved. */
export function partialAnswer(turn: TurnId, { text, model, isStopped }: LiveText): MessageRecord {
  return {
    id: turn.answer,
    role: "assistant",
    content: text,
    created_at: toInstant(timeOf(turn.answer)),
    ...(turn.branch ? { branch: turn.branch } : {}),
    ...(model ? { model } : {}),
    status: isStopped ? "stopped" : "incomplete",
  };
}

/** The header of the session, which is restored if it was archived. `null`: the session was deleted. */
async function hotRecord(stores: ChatStores, turn: TurnId): Promise<SessionRecord | null> {
  const state = await readSession(stores, turn);
  if (state.kind === "none") return null;
  return state.kind === "active" ? state.record : restoreSession(stores, turn);
}

import { toInstant } from "../clock.ts";
import { type MessageRecord, timeOf } from "../session/message.ts";
import type { SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/stored.ts";
import type { DeadTurn, TurnId, TurnStore } from "./turn-store.ts";

/**
 * What turns have left whose function died: each answer that is stored but not counted, and, where only a part of one was kept for
 * clients that come back, that part, stored as an incomplete answer.
 */
export async function collectDeadTurns(
  turns: TurnStore,
  record: SessionRecord,
  now: number,
  onStored?: OnStored,
): Promise<DeadTurn[]> {
  const dead = Object.entries(record.turns ?? {}).filter(([, until]) => until <= now);
  return Promise.all(
    dead.map(async ([answer]) => {
      const turn = { user: record.user_id, id: record.id, generation: record.generation, answer };
      return { answer, messages: (await hasAnswer(turns, turn, onStored)) ? 2 : 1 };
    }),
  );
}

async function hasAnswer(turns: TurnStore, turn: TurnId, onStored?: OnStored): Promise<boolean> {
  if (await turns.find(turn, turn.generation, turn.answer)) return true;
  const left = await turns.findText(turn);
  if (!left) return false;
  const message: MessageRecord = {
    id: turn.answer,
    role: "assistant",
    content: left.text,
    created_at: toInstant(timeOf(turn.answer)),
    model: left.model,
    status: "incomplete",
  };
  if (await turns.save(turn, message)) onStored?.({ messages: 1 });
  return true;
}

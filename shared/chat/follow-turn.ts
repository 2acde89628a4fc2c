import { sleep, toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { listMessages } from "../session/list-messages.ts";
import { hasBrokenOff, type MessageRecord, timeOf } from "../session/message.ts";
import type { SessionId, SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/stored.ts";
import { collectDeadTurns } from "./dead-turns.ts";
import type { ChatStores } from "./finish-turn.ts";
import type { TurnEvent } from "./live-answer.ts";
import type { Turn } from "./turn.ts";

/** Milliseconds between two looks at a turn that another function instance runs. */
const POLL = 400;

/** What an id of a turn's answer looks like: UUIDv7. */
const ANSWER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * A turn by the id of its answer, from its beginning: what is stored of it, and what is yet to come. `null` when there is no such turn,
 * or none with an answer. Follows it until `deadline` (epoch ms).
 */
export async function followTurn(
  stores: ChatStores,
  session: SessionId,
  id: string,
  deadline: number,
  onStored?: OnStored,
): Promise<Turn | null> {
  if (!ANSWER_ID.test(id)) return null;
  const record = await stores.sessions.find(session);
  const until = record?.turns?.[id];
  if (record && until !== undefined) {
    if (until > stores.clock()) return running(record);
    await collectDeadTurns(stores.turns, record, stores.clock(), onStored);
  }
  const message = await storedAnswer(stores, session, id);
  if (!message) return null;
  return toTurn(message.model ?? "", () => replay(message));

  async function running({ generation }: SessionRecord): Promise<Turn> {
    const text = await stores.turns.findText({ ...session, generation, answer: id });
    return toTurn(text?.model ?? "", () => follow(generation));
  }

  function toTurn(model: string, events: () => AsyncGenerator<TurnEvent>): Turn {
    return { id, session, model, memories: [], headers: {}, events, done: Promise.resolve() };
  }

  async function* follow(generation: number): AsyncGenerator<TurnEvent> {
    const turn = { ...session, generation, answer: id };
    let said = "";
    for (;;) {
      const message = await stores.turns.find(session, generation, id);
      if (message) {
        yield* replay(message, said.length);
        return;
      }
      const text = (await stores.turns.findText(turn))?.text ?? said;
      if (text.length > said.length) yield { kind: "text", text: text.slice(said.length) };
      said = text;
      if (stores.clock() > deadline) throw new AppError("unavailable", "the turn is still running", { retryAfter: 1 });
      await sleep(POLL);
      if (await isOver(turn.answer)) {
        const message = await storedAnswer(stores, session, id);
        if (!message) throw new AppError("unavailable", "the turn has failed", { retryAfter: 1 });
        yield* replay(message, said.length);
        return;
      }
    }
  }

  async function isOver(answer: string): Promise<boolean> {
    const current = await stores.sessions.find(session);
    const until = current?.turns?.[answer];
    if (current && until !== undefined && until <= stores.clock()) {
      await collectDeadTurns(stores.turns, current, stores.clock(), onStored);
    }
    return until === undefined || until <= stores.clock();
  }
}

/** An answer that is stored, as a turn tells it. One that broke off ends as it did then: with an error. */
async function* replay(message: MessageRecord, from = 0): AsyncGenerator<TurnEvent> {
  const text = message.content.slice(from);
  if (text) yield { kind: "text", text };
  if (hasBrokenOff(message)) throw new AppError("unavailable", "the answer broke off", { retryAfter: 1 });
  yield { kind: "end", message };
}

/** The answer wherever its session is. Its id says when the turn began, which is where it stands. */
export async function storedAnswer(stores: ChatStores, session: SessionId, id: string): Promise<MessageRecord | null> {
  const at = timeOf(id);
  const range = { order: "desc", from: toInstant(at), to: toInstant(at + 1), limit: 100 } as const;
  const { messages } = await listMessages(stores, session, range);
  return messages.find((message) => message.id === id && message.role === "assistant") ?? null;
}

import { sleep, toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { stillRunning } from "../idempotency/attempt.ts";
import type { Claim } from "../idempotency/claim.ts";
import { listMessages } from "../session/list-messages.ts";
import { hasBrokenOff, type MessageRecord, type ShownMessage, timeOf } from "../session/message.ts";
import type { SessionId, SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/store.ts";
import { piecesOf } from "./answer-body.ts";
import { collectDeadTurns } from "./end-turn.ts";
import { brokenOff, type ChatStores, type Turn, type TurnEvent, type TurnRequest } from "./turn.ts";

/** Milliseconds between two reads of a turn that another function instance runs. */
const POLL = 400;

/** Maximum reads, and milliseconds between two reads, while a repeat waits for the first attempt to start the turn. */
const START_LOOKS = 25;
const START_POLL = 200;

/** Characters between two text parts in `content`. */
const SEPARATOR = "\n\n".length;

/** An id of an answer: UUIDv7. */
const ANSWER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Finds the turn of another attempt at the same request. Returns `null` when this attempt must run the turn. Waits for an attempt that
 * has just begun, and takes over from one that failed. `id` is the answer's. Throws `not_found` when the answer or its session was
 * deleted, `conflict`, and the refusal of the first attempt.
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
      // The first attempt may be about to create the session.
      if (request.create && error instanceof AppError && error.code === "not_found") return null;
      throw error;
    });
    if (turn || claim.kind === "taken") return turn;
    if (claim.kind === "answered") throw new AppError("not_found", "the answer was deleted");
    if (look === START_LOOKS) throw stillRunning();
    await sleep(START_POLL);
    claim = await request.claims.claim();
  }
  return null;
}

/** Follows the turn of a session that is running, the newest of several; `null`: no turn is running. */
export async function followRunningTurn(
  stores: ChatStores,
  session: SessionId,
  deadline: number,
  onStored?: OnStored,
): Promise<Turn | null> {
  const [id] = runningTurns(await stores.sessions.find(session), stores.clock());
  return id === undefined ? null : followTurn(stores, session, id, deadline, onStored);
}

/** The answers of the turns that are running, the newest first. */
export function runningTurns(record: SessionRecord | null, now: number): string[] {
  const running = Object.entries(record?.turns ?? {}).filter(([, { until }]) => until > now);
  return running.map(([answer]) => answer).sort((a, b) => (a < b ? 1 : -1));
}

/**
 * Follows a turn from its beginning, by the id of its answer: first the stored part, then the rest as it is written, until `deadline`
 * (epoch ms). `null`: there is no such turn, or it has no answer.
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
  const until = record?.turns?.[id]?.until;
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
    let sent = "";
    for (;;) {
      const message = await stores.turns.find(session, generation, id);
      if (message) {
        yield* replay(message, sent.length);
        return;
      }
      const text = (await stores.turns.findText(turn))?.text ?? sent;
      if (text.length > sent.length) yield { kind: "text", text: text.slice(sent.length) };
      sent = text;
      if (stores.clock() > deadline) throw new AppError("unavailable", "the turn is still running", { retryAfter: 1 });
      await sleep(POLL);
      if (await isOver()) {
        const answer = await storedAnswer(stores, session, id);
        if (!answer) throw new AppError("unavailable", "the turn has failed", { retryAfter: 1 });
        yield* replay(answer, sent.length);
        return;
      }
    }
  }

  async function isOver(): Promise<boolean> {
    const current = await stores.sessions.find(session);
    const end = current?.turns?.[id]?.until;
    if (current && end !== undefined && end <= stores.clock()) {
      await collectDeadTurns(stores.turns, current, stores.clock(), onStored);
    }
    return end === undefined || end <= stores.clock();
  }
}

/** Waits for the end of a turn and returns its answer, also an incomplete one if it is stored. Throws the error of the turn. */
export async function wholeAnswer(stores: ChatStores, turn: Turn): Promise<ShownMessage> {
  try {
    for await (const event of turn.events()) {
      if (event.kind !== "end") continue;
      if (turn.parent_id !== undefined) return { ...event.message, parent_id: turn.parent_id };
      return (await storedAnswer(stores, turn.session, turn.id)) ?? { ...event.message, parent_id: null };
    }
  } catch (error) {
    const stored = await storedAnswer(stores, turn.session, turn.id).catch(() => null);
    if (stored) return stored;
    throw error;
  }
  throw new Error("a turn ended without an `end` event");
}

/** The events of a stored answer. If the provider failed during the answer, they end with an error, as for the first client. */
async function* replay(message: MessageRecord, from = 0): AsyncGenerator<TurnEvent> {
  // Characters of text that the reader already has. While the model writes, only text is saved.
  let known = from;
  for (const piece of piecesOf(message)) {
    if (!("text" in piece) || (piece.kind !== "text" && piece.kind !== "refusal")) {
      yield piece;
      continue;
    }
    const text = piece.text.slice(known);
    known = Math.max(0, known - piece.text.length - SEPARATOR);
    if (text) yield { ...piece, text };
  }
  if (hasBrokenOff(message)) throw brokenOff();
  yield { kind: "end", message };
}

/** Finds the answer in a hot or an archived session, at the time that its id names. */
async function storedAnswer(stores: ChatStores, session: SessionId, id: string): Promise<ShownMessage | null> {
  const at = timeOf(id);
  const range = { order: "desc", branch: "all", from: toInstant(at), to: toInstant(at + 1), limit: 100 } as const;
  const { messages } = await listMessages(stores, session, range);
  return messages.find((message) => message.id === id && message.role === "assistant") ?? null;
}

import { AppError } from "../errors.ts";
import { appendMessages } from "../session/append-messages.ts";
import { createSession } from "../session/create-session.ts";
import type { MessageRecord } from "../session/message.ts";
import { notFound, readSession } from "../session/read-session.ts";
import { restoreSession } from "../session/restore-session.ts";
import { contended, retryContended } from "../session/retry-contended.ts";
import {
  isExpired,
  isLaterThan,
  type RequestIdentity,
  type SessionId,
  type SessionRecord,
} from "../session/session.ts";
import { collectDeadTurns } from "./end-turn.ts";
import { firstWords } from "./title.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";

/** A hot session and its newest messages. */
interface Window {
  record: SessionRecord;
  /** Oldest first. */
  messages: MessageRecord[];
}

export interface OpenedTurn {
  record: SessionRecord;
  /** Messages before the question, oldest first. */
  history: MessageRecord[];
}

interface Opening {
  question: MessageRecord;
  identity: RequestIdentity;
  /** Id of the answer. */
  answer: string;
  /** Epoch milliseconds from which on the turn counts as dead. */
  until: number;
}

/** Reads the header and the newest messages in one strongly consistent Query. `null`: the session is not hot. */
export async function readWindow(deps: ChatDependencies, session: SessionId): Promise<Window | null> {
  const { record, messages } = await deps.messages.window(session, deps.settings.maxMessages - 1);
  if (record?.status !== "active" || isExpired(record, deps.clock())) return null;
  return { record, messages: messages.toReversed() };
}

/**
 * Stores the question and marks the turn as running: one round trip. It takes more if the session is not hot, if another request
 * changes the session at the same time, or if a function died during an earlier turn. Throws `not_found`.
 */
export async function openTurn(
  deps: ChatDependencies,
  request: TurnRequest,
  read: Window | null,
  { question, identity, answer, until }: Opening,
): Promise<OpenedTurn> {
  const { session, onStored } = request;
  let window = read;
  let isHistoryStored = false;
  return retryContended(async () => {
    window ??= await makeHot(deps, request, identity);
    const earlier = window?.messages.length === 0 ? request.before : request.since;
    if (window && earlier?.length && !isHistoryStored) {
      isHistoryStored = true;
      await appendMessages(deps, session, earlier, identity, onStored);
      window = await readWindow(deps, session);
    }
    if (!window) return contended;
    const { record } = window;
    if (isLaterThan(record, identity.at)) throw notFound();
    const now = deps.clock();
    const died = record.turns ? await collectDeadTurns(deps.turns, record, now, onStored) : [];
    const dead = died.filter((turn) => turn.answer !== answer);
    // Collecting may have stored an answer: read the messages again.
    if (dead.some(({ messages }) => messages === 2)) window = (await readWindow(deps, session)) ?? window;
    const { messages } = window;
    const outcome = await deps.turns.begin({ record, question, answer, now, until, dead });
    if (outcome === "begun") onStored?.({ messages: 1 });
    if (outcome === "stale") {
      window = null;
      return contended;
    }
    // An earlier attempt at this turn may have stored its question or its answer: they are not history.
    return { record, history: messages.filter(({ id }) => id !== question.id && id !== answer) };
  });
}

/**
 * Creates or restores the session, and reads its window. `null`: the session was deleted at the same time, so the caller must try
 * again. Throws `not_found` when the session does not exist and the request does not create it.
 */
async function makeHot(
  deps: ChatDependencies,
  { session, question, create, onStored }: TurnRequest,
  identity: RequestIdentity,
): Promise<Window | null> {
  let existed = false;
  // Create first: a missing session is the most frequent reason for being here.
  if (create) {
    const ttl = deps.settings.sessionTtlSeconds;
    try {
      const title = deps.settings.titleModel ? null : firstWords(question.content);
      const record = await createSession(deps, session.user, { id: session.id, title }, identity, ttl, onStored);
      // A higher version: an earlier attempt created the session, which may hold messages by now.
      if (record.version === 1) return { record, messages: [] };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "conflict") throw error;
      existed = true;
    }
  }
  const state = await readSession(deps, session);
  if (state.kind === "none") {
    if (existed) return null;
    throw notFound();
  }
  if (state.kind !== "active") await restoreSession(deps, session);
  return readWindow(deps, session);
}

import { appendMessages } from "../session/append-messages.ts";
import { contended, settled } from "../session/attempts.ts";
import { createSession } from "../session/create-session.ts";
import type { MessageRecord } from "../session/message.ts";
import type { RequestIdentity, SessionRecord } from "../session/session.ts";
import { collectDeadTurns } from "./dead-turns.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";
import { renewedWindow, type Window, windowOf } from "./window.ts";

interface Opening {
  question: MessageRecord;
  identity: RequestIdentity;
  /** Id of the answer. */
  answer: string;
  /** Epoch milliseconds from which on the turn counts as dead. */
  until: number;
}

/**
 * The second round trip: stores the question and marks the turn as under way. More than one only for a session that is not hot, that
 * is changed at the same moment, or in which a function has died. Throws `not_found`.
 */
export async function openTurn(
  deps: ChatDependencies,
  request: TurnRequest,
  read: Window | null,
  { question, identity, answer, until }: Opening,
): Promise<{ record: SessionRecord; history: MessageRecord[] }> {
  const { session } = request;
  const limit = deps.settings.maxMessages - 1;
  const create = request.create
    ? () => createSession(deps, session.user, { id: session.id }, identity, deps.settings.sessionTtlSeconds)
    : undefined;
  let window = read;
  let isStored = false;
  return settled(async () => {
    window ??= await renewedWindow(deps, session, limit, create);
    const earlier = window?.history.length === 0 ? request.before : request.since;
    if (window && earlier?.length && !isStored) {
      isStored = true;
      await appendMessages(deps, session, earlier, identity);
      window = await windowOf(deps, session, limit);
    }
    if (!window) return contended;
    const { record } = window;
    const now = deps.clock();
    const died = record.turns ? await collectDeadTurns(deps.turns, record, now) : [];
    const dead = died.filter((turn) => turn.answer !== answer);
    const outcome = await deps.turns.begin({ record, question, answer, now, until, dead });
    if (outcome === "stale") {
      window = null;
      return contended;
    }
    // What an attempt at this turn has left is not history yet; what died with it may be.
    const fresh = dead.some(({ messages }) => messages === 2) ? await windowOf(deps, session, limit + 1) : window;
    const history = (fresh ?? window).history.filter(({ id }) => id !== question.id && id !== answer);
    return { record, history: limit === 0 ? [] : history.slice(-limit) };
  });
}

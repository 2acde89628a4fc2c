import { appendMessages } from "../session/append-messages.ts";
import { contended, settled } from "../session/attempts.ts";
import { createSession } from "../session/create-session.ts";
import type { MessageRecord } from "../session/message.ts";
import { notFound } from "../session/read-session.ts";
import { isLaterThan, type RequestIdentity, type SessionRecord } from "../session/session.ts";
import { collectDeadTurns } from "./dead-turns.ts";
import { abandonTurn } from "./finish-turn.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";
import { messagesBefore, renewedWindow, type Window, windowOf } from "./window.ts";

interface Opening {
  question: MessageRecord;
  identity: RequestIdentity;
  /** Id of the answer. */
  answer: string;
  /** Epoch milliseconds from which on the turn counts as dead. */
  until: number;
}

/**
 * The second round trip: stores the question and marks the turn as under way, and reads the rest of the context beside. More than one only for a session that is not hot, that
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
  const { onStored } = request;
  const ttl = deps.settings.sessionTtlSeconds;
  const create = request.create
    ? () => createSession(deps, session.user, { id: session.id }, identity, ttl, onStored)
    : undefined;
  let window = read;
  let isStored = false;
  return settled(async () => {
    window ??= await renewedWindow(deps, session, limit, create);
    const earlier = window?.newest.length === 0 ? request.before : request.since;
    if (window && earlier?.length && !isStored) {
      isStored = true;
      await appendMessages(deps, session, earlier, identity, onStored);
      window = await windowOf(deps, session, limit);
    }
    if (!window) return contended;
    const { record } = window;
    if (isLaterThan(record, identity.at)) throw notFound();
    const now = deps.clock();
    const died = record.turns ? await collectDeadTurns(deps.turns, record, now, onStored) : [];
    const dead = died.filter((turn) => turn.answer !== answer);
    // An answer that was left behind has only now become a message.
    if (dead.some(({ messages }) => messages === 2)) window = (await windowOf(deps, session, limit)) ?? window;
    const before = messagesBefore(deps, window, limit - window.newest.length);
    const [begun, older] = await Promise.allSettled([
      deps.turns.begin({ record, question, answer, now, until, dead }),
      before,
    ]);
    if (begun.status === "rejected") throw begun.reason;
    if (begun.value === "begun") onStored?.({ messages: 1 });
    if (begun.value === "stale") {
      window = null;
      return contended;
    }
    if (older.status === "rejected") {
      await abandonTurn(deps, { ...session, generation: record.generation, answer }, record);
      throw older.reason;
    }
    // What an attempt at this turn has left is not history yet.
    const history = [...older.value, ...window.newest].filter(({ id }) => id !== question.id && id !== answer);
    return { record, history };
  });
}

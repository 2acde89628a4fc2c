import { noSuchMessage } from "../session/list-messages.ts";
import type { MessageRecord } from "../session/message.ts";
import { openMessages, withParents } from "../session/message-source.ts";
import { lookAt, notFound, readSession } from "../session/read-session.ts";
import { retryContended } from "../session/retry-contended.ts";
import type { SessionId } from "../session/session.ts";
import type { ChatStores, TurnRequest } from "./turn.ts";

/**
 * Finds the question of an answer, for a turn that answers it again. `field` names the answer in the request. Throws
 * `not_found`, and `validation_failed` when the session has no such answer or the answer follows no message.
 */
export async function askAgain(
  stores: Pick<ChatStores, "sessions" | "messages" | "archive" | "clock">,
  session: SessionId,
  answer: string,
  field = "regenerate",
): Promise<Pick<TurnRequest, "question" | "asked">> {
  const asked = await retryContended(async () => {
    const state = await readSession(stores, session);
    if (state.kind === "none") throw notFound();
    // The session may be restored, archived or reset while its messages are read.
    return lookAt(stores, session, state, async () => {
      const source = await openMessages(stores, session, state);
      const message = await source.locate(answer);
      if (message?.role !== "assistant") throw noSuchMessage(field, "answer");
      const [shown] = await withParents(source, { messages: [message] });
      const question = shown?.parent_id ? await source.locate(shown.parent_id) : null;
      if (!question) throw noSuchMessage(field, "answer");
      return question;
    });
  });
  return toQuestion(asked);
}

/** A turn that answers a stored message again. */
export function toQuestion(asked: MessageRecord): Pick<TurnRequest, "question" | "asked"> {
  const { role, content, parts, name, metadata } = asked;
  return { asked, question: { role, content, name, metadata, ...(parts ? { parts } : {}) } };
}

import { ANSWER, madePosition, positionOf, QUESTION, timeOrderedId } from "../session/message.ts";
import { hotMessages, openMessages } from "../session/message-source.ts";
import { lookAt, readSession } from "../session/read-session.ts";
import { retryContended } from "../session/retry-contended.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { Window } from "./open-turn.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";

/**
 * Returns the identity from which the ids of a turn's messages are made. Clocks differ: if the parent is later than the request, the
 * identity has the next millisecond after the parent. Each attempt at a request gets the same identity.
 */
export async function identifyTurn(
  deps: ChatDependencies,
  request: TurnRequest,
  identity: RequestIdentity,
  window: Window | null,
): Promise<RequestIdentity> {
  const { asked, parent } = request;
  const followed = asked ?? (parent ? await findParent(deps, request, parent, window) : null);
  const first = madePosition(timeOrderedId(identity, asked ? ANSWER : QUESTION));
  if (!followed || first > positionOf(followed)) return identity;
  return { ...identity, at: Date.parse(followed.created_at) + 1 };
}

/** Finds the parent; `null`: the session does not have it, so the turn will be refused. Usually it is in the window. */
function findParent(deps: ChatDependencies, { session }: TurnRequest, parent: string, window: Window | null) {
  const shown = window?.messages.find(({ id }) => id === parent);
  if (shown) return shown;
  if (window) return hotMessages(deps.messages, session, window.record.generation, window.tree).locate(parent);
  return retryContended(async () => {
    const state = await readSession(deps, session);
    if (state.kind === "none") return null;
    const found = await lookAt(deps, session, state, async () =>
      (await openMessages(deps, session, state)).locate(parent),
    );
    return found ?? null;
  });
}

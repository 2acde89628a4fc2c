import { restoreSession } from "../archive/renew-session.ts";
import type { MessageRecord } from "../session/message.ts";
import { notFound, readSession } from "../session/read-session.ts";
import { isExpired, type SessionId, type SessionRecord } from "../session/session.ts";
import type { ChatStores } from "./finish-turn.ts";

/** A hot session and its newest messages, oldest first; `null` = there is no hot one. */
export interface Window {
  record: SessionRecord;
  history: MessageRecord[];
}

/** Header and context in one Query. */
export async function windowOf(stores: ChatStores, session: SessionId, limit: number): Promise<Window | null> {
  const { record, messages } = await stores.messages.window(session, limit);
  if (record?.status !== "active" || isExpired(record, stores.clock())) return null;
  return { record, history: messages.toReversed() };
}

/**
 * The same of a session wherever it is: an archived one is restored, one that does not exist is made by `create`. Throws
 * `not_found` when there is none and nothing to make one.
 */
export async function renewedWindow(
  stores: ChatStores,
  session: SessionId,
  limit: number,
  create: (() => Promise<SessionRecord>) | undefined,
): Promise<Window | null> {
  const state = await readSession(stores, session);
  if (state.kind === "none") {
    if (!create) throw notFound();
    return { record: await create(), history: [] };
  }
  if (state.kind !== "active") await restoreSession(stores, session);
  return windowOf(stores, session, limit);
}

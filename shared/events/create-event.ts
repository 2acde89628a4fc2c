import { toInstant } from "../clock.ts";
import { timeOrderedId } from "../session/message.ts";
import { notFound, requireSession } from "../session/read-session.ts";
import type { RequestIdentity, SessionId } from "../session/session.ts";
import type { Stores } from "../session/store.ts";
import type { Event, EventCreate, EventStore } from "./event.ts";

/**
 * Stores an event of a user. An event about an incognito session is only counted: see `withoutSession`. Throws `not_found` if the user has no
 * such session.
 */
export async function createEvent(
  { events, ...stores }: { events: EventStore } & Pick<Stores, "sessions" | "clock">,
  user: string,
  input: EventCreate,
  identity: RequestIdentity,
): Promise<{ event: Event; isIncognito: boolean }> {
  const isIncognito = input.session_id !== undefined && (await isOfIncognito(stores, { user, id: input.session_id }));
  const told = isIncognito ? withoutSession(input) : input;
  const event = { id: timeOrderedId(identity, 0), ...told, created_at: toInstant(identity.at) };
  await events.add({ ...event, user_id: user } as Parameters<EventStore["add"]>[0]);
  return { event: event as Event, isIncognito };
}

/** Whether a session is incognito. Throws `not_found`. */
async function isOfIncognito(stores: Pick<Stores, "sessions" | "clock">, session: SessionId): Promise<boolean> {
  const anchor = await stores.sessions.findAnchor(session);
  if (!anchor || anchor.state === "deleted") throw notFound();
  // The anchor can still exist after the session has expired.
  if (anchor.incognito) await requireSession(stores, session);
  return anchor.incognito === true;
}

/** Removes ids and content of an incognito session from an event, because events are kept longer than the session. */
export function withoutSession({ session_id, message_id, metadata, ...counted }: EventCreate): EventCreate {
  return counted;
}

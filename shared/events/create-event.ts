import { toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { timeOrderedId } from "../session/message.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import type { Event, EventCreate, EventStore } from "./event.ts";

/** Stores an event of a user. Throws `not_found` if the user has no such session. */
export async function createEvent(
  { events, sessions }: { events: EventStore; sessions: Pick<SessionStore, "findAnchor"> },
  user: string,
  input: EventCreate,
  identity: RequestIdentity,
): Promise<Event> {
  if (input.session_id !== undefined) {
    const anchor = await sessions.findAnchor({ user, id: input.session_id });
    if (!anchor || anchor.state === "deleted") throw new AppError("not_found", "no such session");
  }
  const event = { id: timeOrderedId(identity, 0), ...input, created_at: toInstant(identity.at) };
  await events.add({ ...event, user_id: user } as Parameters<EventStore["add"]>[0]);
  return event as Event;
}

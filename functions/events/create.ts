import { createEvent, withoutSession } from "../../shared/events/create-event.ts";
import type { Event, EventStore } from "../../shared/events/event.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { eventOperations } from "../../shared/http/operations/event-operations.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { SessionStore } from "../../shared/session/store.ts";
import { lazyHandler, openIdempotentHttp, openMetricsTable, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  events: EventStore;
  sessions: SessionStore;
}

type KeptEvent = Pick<Event, "id" | "created_at"> & { isIncognito?: boolean };

/** POST /v1/events */
export function createCreateEvent(deps: Dependencies) {
  return createHttpHandler(
    eventOperations.createEvent,
    deps,
    async ({ user, body, identity }) => {
      const { event, isIncognito } = await createEvent(deps, user, body, identity);
      const { id, created_at } = event;
      return { status: 201, body: event, keep: () => ({ id, created_at, ...(isIncognito ? { isIncognito } : {}) }) };
    },
    // A repeat has the same body as the first request, so its body contains the rest of the event.
    async ({ body }, { id, created_at, isIncognito }: KeptEvent) => ({
      id,
      ...(isIncognito ? withoutSession(body) : body),
      created_at,
    }),
  );
}

export const handler = lazyHandler((config) =>
  createCreateEvent({
    ...openIdempotentHttp(config),
    events: createEventStore(openMetricsTable(config)),
    sessions: createSessionStore(openTable(config)),
  }),
);

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "../../shared/http/cursor.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { checkRange, INSTANT, isInRange } from "../../shared/http/range.ts";
import { ID } from "../../shared/session/schema.ts";
import { toSession } from "../../shared/session/session.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { SessionStore } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  sessions: Pick<SessionStore, "list">;
}

/** GET /v1/sessions */
export function createListSessions(deps: Dependencies) {
  return createHttpHandler(sessionOperations.listSessions, deps, async ({ user, query }) => {
    const { limit, cursor, pinned, ...range } = query;
    const filters = { ...range, ...(pinned && { pinned: true as const }) };
    checkRange(filters);
    const scope = ["sessions", user, filters];
    const [updated_at = "", id = ""] = decodeCursor(scope, cursor, [INSTANT, ID]);
    if (cursor !== undefined && !isInRange(updated_at, filters)) throw invalidCursor();
    const now = deps.clock();
    const { records, more } = await deps.sessions.list(user, {
      ...filters,
      limit,
      now,
      ...(cursor === undefined ? {} : { after: { updated_at, id } }),
    });
    const last = records.at(-1);
    return {
      status: 200,
      body: {
        data: records.map((record) => toSession(record, now)),
        next_cursor: more && last ? encodeCursor(scope, [last.updated_at, last.id]) : null,
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  return createListSessions({ ...openHttp(config), sessions: createSessionStore(openTable(config)) });
});

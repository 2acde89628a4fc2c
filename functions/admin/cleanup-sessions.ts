import { loadConfig } from "../../shared/config.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { sessionOperations } from "../../shared/http/operations/sessions.ts";
import { DAY } from "../../shared/retention/policy.ts";
import { expireIdle } from "../../shared/session/expire-idle.ts";
import { createSessionStore } from "../../shared/session/store.dynamodb.ts";
import type { SessionStore } from "../../shared/session/store.ts";
import { withIdempotency } from "../dependencies/http.ts";
import { openTable } from "../dependencies/table.ts";

export interface Dependencies extends HttpDependencies {
  sessions: SessionStore;
}

/** POST /admin/cleanup-sessions; `complete: false` when time ran out: call again for the rest. */
export const createCleanupSessions = (deps: Dependencies) =>
  createHttpHandler(sessionOperations.cleanupSessions, deps, async ({ query, deadline }) => {
    const idleSince = deps.clock() - query.days * DAY * 1000;
    return { status: 200, body: await expireIdle(deps, idleSince, deadline) };
  });

export const handler = lazy(() => {
  const settings = loadConfig();
  const table = openTable(settings);
  return createCleanupSessions({ ...withIdempotency(settings, table), sessions: createSessionStore(table) });
});

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { DAY } from "../../shared/retention/rule.ts";
import { expireIdle } from "../../shared/session/expire-idle.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { SessionStore } from "../../shared/session/store.ts";
import { lazyHandler, openIdempotentHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  sessions: SessionStore;
}

/** POST /admin/cleanup-sessions */
export function createCleanupSessions(deps: Dependencies) {
  return createHttpHandler(sessionOperations.cleanupSessions, deps, async ({ query, deadline }) => {
    const idleSince = deps.clock() - query.days * DAY * 1000;
    return { status: 200, body: await expireIdle(deps, idleSince, deadline, query.preview === "true") };
  });
}

export const handler = lazyHandler((config) =>
  createCleanupSessions({ ...openIdempotentHttp(config), sessions: createSessionStore(openTable(config)) }),
);

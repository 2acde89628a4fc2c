import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { createSessionMemories } from "../../shared/memory/forget.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { refuseFuture } from "../../shared/session/schema.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { SessionMemories, SessionStore } from "../../shared/session/store.ts";
import { clock, lazyHandler, openIdempotentHttp, openTable } from "../compose.ts";
import { type KeptSession, keepSession, repeatSession, sessionResponse } from "./session-response.ts";

interface Dependencies extends HttpDependencies {
  sessions: SessionStore;
  memories: SessionMemories;
  /** Seconds of idleness after which a session without its own `ttl_seconds` expires. */
  defaultTtlSeconds: number;
}

/** POST /v1/sessions */
export function createCreateSession(deps: Dependencies) {
  return createHttpHandler(
    sessionOperations.createSession,
    deps,
    async ({ user, body, identity, observe }) => {
      refuseFuture(body, deps.clock());
      const record = await createSession(deps, user, body, identity, deps.defaultTtlSeconds, observe);
      const now = deps.clock();
      return {
        ...sessionResponse(record, now, 201, { location: `/v1/sessions/${encodeURIComponent(record.id)}` }),
        keep: () => keepSession(deps, record, now, identity.seed),
      };
    },
    // A repeat has the same body as the first request.
    ({ body }, kept: KeptSession) =>
      repeatSession(deps, kept, { title: body.title ?? null, metadata: body.metadata ?? {} }),
  );
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createCreateSession({
    ...openIdempotentHttp(config),
    sessions: createSessionStore(table),
    memories: createSessionMemories(createMemoryStore(table, clock)),
    defaultTtlSeconds: config.SESSION_TTL_SECONDS,
  });
});

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { matchesEtag } from "../../shared/http/headers.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { createMessageStore } from "../../shared/session/message-store.dynamodb.ts";
import { showSession } from "../../shared/session/read-session.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import type { MessageStore, SessionStore } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openTable } from "../compose.ts";
import { sessionResponse } from "./session-response.ts";

interface Dependencies extends HttpDependencies {
  sessions: SessionStore;
  messages: MessageStore;
}

/** GET /v1/sessions/{id} */
export function createGetSession(deps: Dependencies) {
  return createHttpHandler(sessionOperations.getSession, deps, async ({ user, params, header }) => {
    const record = await showSession(deps, { user, id: params.id });
    const response = sessionResponse(record, deps.clock());
    const unchanged = header("if-none-match");
    if (unchanged === undefined || !matchesEtag(unchanged, response.headers?.etag ?? "")) return response;
    return { status: 304, headers: response.headers ?? {} };
  });
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createGetSession({
    ...openHttp(config),
    sessions: createSessionStore(table),
    messages: createMessageStore(table),
  });
});

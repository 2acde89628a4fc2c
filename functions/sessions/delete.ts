import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { deleteSession } from "../../shared/session/delete-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openStores, openTable } from "../compose.ts";

/** DELETE /v1/sessions/{id} */
export function createDeleteSession(deps: HttpDependencies & Stores) {
  return createHttpHandler(sessionOperations.deleteSession, deps, async ({ user, params, deadline }) => {
    await deleteSession(deps, { user, id: params.id }, deadline);
    return { status: 204 };
  });
}

export const handler = lazyHandler((config) => {
  return createDeleteSession({ ...openHttp(config), ...openStores(config, openTable(config)) });
});

import { loadConfig } from "../../shared/config.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { sessionOperations } from "../../shared/http/operations/sessions.ts";
import { deleteSession } from "../../shared/session/delete-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { openArchive } from "../dependencies/archive.ts";
import { httpOnly } from "../dependencies/http.ts";
import { openStores } from "../dependencies/stores.ts";
import { openTable } from "../dependencies/table.ts";

/** DELETE /v1/sessions/{id} */
export const createDeleteSession = (deps: HttpDependencies & Stores) =>
  createHttpHandler(sessionOperations.deleteSession, deps, async ({ user, params, deadline }) => {
    await deleteSession(deps, { user, id: params.id }, deadline);
    return { status: 204 };
  });

export const handler = lazy(() => {
  const settings = loadConfig();
  return createDeleteSession({ ...httpOnly(settings), ...openStores(openTable(settings), openArchive(settings)) });
});

import { loadConfig } from "../../shared/config.ts";
import { matchesEtag } from "../../shared/http/etag.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { sessionOperations } from "../../shared/http/operations/sessions.ts";
import { patchSession } from "../../shared/session/patch-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { openArchiveLater } from "../dependencies/archive-later.ts";
import { httpOnly } from "../dependencies/http.ts";
import { openStores } from "../dependencies/stores.ts";
import { openTable } from "../dependencies/table.ts";
import { sessionResponse } from "./session-response.ts";

/** PATCH /v1/sessions/{id} */
export const createPatchSession = (deps: HttpDependencies & Stores) =>
  createHttpHandler(sessionOperations.patchSession, deps, async ({ user, params, body, header }) => {
    const expected = header("if-match");
    const matches = expected === undefined ? undefined : (etag: string) => matchesEtag(expected, etag);
    return sessionResponse(await patchSession(deps, { user, id: params.id }, body, matches), deps.clock());
  });

export const handler = lazy(() => {
  const settings = loadConfig();
  return createPatchSession({ ...httpOnly(settings), ...openStores(openTable(settings), openArchiveLater(settings)) });
});

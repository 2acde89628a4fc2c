import type { HttpDependencies } from "../../shared/http/chain.ts";
import { matchesEtag } from "../../shared/http/headers.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { patchSession } from "../../shared/session/patch-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openHttp, openStores, openTable } from "../compose.ts";
import { sessionResponse } from "./session-response.ts";

/** PATCH /v1/sessions/{id} */
export function createPatchSession(deps: HttpDependencies & Stores) {
  return createHttpHandler(sessionOperations.patchSession, deps, async ({ user, params, body, header }) => {
    const expected = header("if-match");
    const matches = expected === undefined ? undefined : (etag: string) => matchesEtag(expected, etag);
    return sessionResponse(await patchSession(deps, { user, id: params.id }, body, matches), deps.clock());
  });
}

export const handler = lazyHandler((config) => {
  return createPatchSession({
    ...openHttp(config),
    ...openStores(config, openTable(config)),
  });
});

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { restoreSession } from "../../shared/session/restore-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openIdempotentHttp, openStores, openTable } from "../compose.ts";
import { type KeptSession, keepSession, repeatSession, sessionResponse } from "./session-response.ts";

/** POST /v1/sessions/{id}/restore */
export function createRestoreSession(deps: HttpDependencies & Stores) {
  return createHttpHandler(
    sessionOperations.restoreSession,
    deps,
    async ({ user, params }) => {
      const record = await restoreSession(deps, { user, id: params.id });
      const now = deps.clock();
      return { ...sessionResponse(record, now), keep: () => keepSession(deps, record, now) };
    },
    (_request, kept: KeptSession) => repeatSession(deps, kept),
  );
}

export const handler = lazyHandler((config) =>
  createRestoreSession({
    ...openIdempotentHttp(config),
    ...openStores(config, openTable(config)),
  }),
);

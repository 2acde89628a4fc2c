import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { sessionOperations } from "../../shared/http/operations/session-operations.ts";
import { resetSession } from "../../shared/session/reset-session.ts";
import type { Stores } from "../../shared/session/store.ts";
import { lazyHandler, openIdempotentHttp, openStores, openTable } from "../compose.ts";
import { type KeptSession, keepSession, repeatSession, sessionResponse } from "./session-response.ts";

/** POST /v1/sessions/{id}/reset */
export function createResetSession(deps: HttpDependencies & Stores) {
  return createHttpHandler(
    sessionOperations.resetSession,
    deps,
    async ({ user, params, identity }) => {
      const record = await resetSession(deps, { user, id: params.id }, identity);
      const now = deps.clock();
      return { ...sessionResponse(record, now), keep: () => keepSession(deps, record, now) };
    },
    (_request, kept: KeptSession) => repeatSession(deps, kept),
  );
}

export const handler = lazyHandler((config) =>
  createResetSession({
    ...openIdempotentHttp(config),
    ...openStores(config, openTable(config)),
  }),
);

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { erasureOperations } from "../../shared/http/operations/erasure-operations.ts";
import { type ErasureDependencies, findReceipt } from "../../shared/privacy/request-erasure.ts";
import { lazyHandler, openErasures, openHttp } from "../compose.ts";

/** GET /v1/erasures/{id} */
export function createGetErasure(deps: HttpDependencies & ErasureDependencies) {
  return createHttpHandler(erasureOperations.getErasure, deps, async ({ user, isAdmin, params }) => ({
    status: 200,
    body: await findReceipt(deps, params.id, user, isAdmin),
  }));
}

export const handler = lazyHandler((config) => createGetErasure({ ...openHttp(config), ...openErasures(config) }));

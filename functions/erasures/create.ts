import { AppError } from "../../shared/errors.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { erasureOperations } from "../../shared/http/operations/erasure-operations.ts";
import { type ErasureDependencies, findReceipt, requestErasure } from "../../shared/privacy/request-erasure.ts";
import { lazyHandler, openErasures, openIdempotentHttp } from "../compose.ts";

/** POST /v1/erasures */
export function createCreateErasure(deps: HttpDependencies & ErasureDependencies) {
  return createHttpHandler(
    erasureOperations.createErasure,
    deps,
    async ({ user, isAdmin, body, identity }) => {
      const subject = body.user_id ?? user;
      if (subject !== user && !isAdmin) {
        throw new AppError("forbidden", "user_id: only a token of the group admin may erase another user", {
          fields: [{ path: "user_id", message: "needs a token of the group admin" }],
        });
      }
      const receipt = await requestErasure(deps, subject, identity);
      return { status: 202, body: receipt, keep: () => ({ id: receipt.id }) };
    },
    ({ user, isAdmin }, { id }: { id: string }) => findReceipt(deps, id, user, isAdmin),
  );
}

export const handler = lazyHandler((config) =>
  createCreateErasure({ ...openIdempotentHttp(config), ...openErasures(config) }),
);

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { createOpenapi } from "../../shared/http/openapi.ts";
import { systemOperations } from "../../shared/http/operations/system-operations.ts";
import { lazyHandler, openHttp } from "../compose.ts";

/** GET /openapi.json */
export function createGetOpenapi(deps: HttpDependencies & { version: string }) {
  const document = createOpenapi(deps.version);
  return createHttpHandler(systemOperations.getOpenapi, deps, async () => ({ status: 200, body: document }));
}

export const handler = lazyHandler((config) => {
  return createGetOpenapi({ ...openHttp(config), version: config.MEMOCHA_VERSION });
});

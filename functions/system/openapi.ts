import { loadConfig } from "../../shared/config.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { createOpenapi } from "../../shared/http/openapi.ts";
import { systemOperations } from "../../shared/http/operations/system.ts";
import { httpOnly } from "../dependencies/http.ts";

/** GET /openapi.json */
export const createGetOpenapi = (deps: HttpDependencies & { version: string }) => {
  const document = createOpenapi(deps.version);
  return createHttpHandler(systemOperations.getOpenapi, deps, async () => ({ status: 200, body: document }));
};

export const handler = lazy(() => {
  const settings = loadConfig();
  return createGetOpenapi({ ...httpOnly(settings), version: settings.MEMOCHA_VERSION });
});

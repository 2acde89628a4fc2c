import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { settingsOperations } from "../../shared/http/operations/settings-operations.ts";
import { lazyHandler, openHttp } from "../compose.ts";

/** GET /v1/settings */
export function createGetSettings(deps: HttpDependencies) {
  return createHttpHandler(settingsOperations.getSettings, deps, async ({ person }) => {
    const { memory } = await person();
    return { status: 200, body: { memory } };
  });
}

export const handler = lazyHandler((config) => createGetSettings(openHttp(config)));

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { settingsOperations } from "../../shared/http/operations/settings-operations.ts";
import { createPersonStore } from "../../shared/privacy/person.dynamodb.ts";
import type { PersonStore } from "../../shared/privacy/person.ts";
import { lazyHandler, openHttp, openUngatedTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  choices: Pick<PersonStore, "setMemory">;
}

/** PATCH /v1/settings */
export function createPatchSettings(deps: Dependencies) {
  return createHttpHandler(settingsOperations.patchSettings, deps, async ({ user, body }) => {
    const { memory } = await deps.choices.setMemory(user, body.memory, deps.clock());
    return { status: 200, body: { memory } };
  });
}

export const handler = lazyHandler((config) => {
  return createPatchSettings({ ...openHttp(config), choices: createPersonStore(openUngatedTable(config)) });
});

import { loadConfig } from "../../shared/config.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { memoryOperations } from "../../shared/http/operations/memories.ts";
import { forgetMemory } from "../../shared/memory/forget.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import type { MemoryStore } from "../../shared/memory/store.ts";
import { clock } from "../dependencies/clock.ts";
import { httpOnly } from "../dependencies/http.ts";
import { openTable } from "../dependencies/table.ts";

export interface Dependencies extends HttpDependencies {
  memories: MemoryStore;
}

/** DELETE /v1/memories/{id} */
export const createDeleteMemory = (deps: Dependencies) =>
  createHttpHandler(memoryOperations.deleteMemory, deps, async ({ user, params }) => {
    await forgetMemory(deps.memories, user, params.id);
    return { status: 204 };
  });

export const handler = lazy(() => {
  const settings = loadConfig();
  return createDeleteMemory({ ...httpOnly(settings), memories: createMemoryStore(openTable(settings), clock) });
});

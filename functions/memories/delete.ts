import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { memoryOperations } from "../../shared/http/operations/memory-operations.ts";
import { forgetMemory } from "../../shared/memory/forget.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import type { MemoryStore } from "../../shared/memory/memory-store.ts";
import { clock, lazyHandler, openHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  memories: MemoryStore;
}

/** DELETE /v1/memories/{id} */
export function createDeleteMemory(deps: Dependencies) {
  return createHttpHandler(memoryOperations.deleteMemory, deps, async ({ user, params }) => {
    await forgetMemory(deps.memories, user, params.id);
    return { status: 204 };
  });
}

export const handler = lazyHandler((config) => {
  return createDeleteMemory({ ...openHttp(config), memories: createMemoryStore(openTable(config), clock) });
});

import type { HttpDependencies } from "../../shared/http/chain.ts";
import { decodeCursor, encodeCursor } from "../../shared/http/cursor.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { memoryOperations } from "../../shared/http/operations/memory-operations.ts";
import { toMemory } from "../../shared/memory/memory.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import type { MemoryStore } from "../../shared/memory/memory-store.ts";
import { findByIds, listMemories } from "../../shared/memory/read-memories.ts";
import { clock, lazyHandler, openHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  memories: MemoryStore;
}

/** GET /v1/memories */
export function createListMemories(deps: Dependencies) {
  return createHttpHandler(memoryOperations.listMemories, deps, async ({ user, query: { limit, cursor, ids } }) => {
    if (ids) {
      const found = await findByIds(deps.memories, user, ids);
      return { status: 200, body: { data: found.map((record) => toMemory(record)), next_cursor: null } };
    }
    const scope = ["memories", user];
    const [after] = decodeCursor(scope, cursor, [/^[0-9a-f-]{36}$/]);
    const { records, last } = await listMemories(deps.memories, user, { limit, after });
    return {
      status: 200,
      body: {
        data: records.map((record) => toMemory(record)),
        next_cursor: last === undefined ? null : encodeCursor(scope, [last]),
      },
    };
  });
}

export const handler = lazyHandler((config) => {
  return createListMemories({ ...openHttp(config), memories: createMemoryStore(openTable(config), clock) });
});

import { loadConfig } from "../../shared/config.ts";
import { createHttpHandler, type HttpDependencies } from "../../shared/http/http-handler.ts";
import { lazy } from "../../shared/http/lazy.ts";
import { memoryOperations } from "../../shared/http/operations/memories.ts";
import { checkRange } from "../../shared/http/range.ts";
import type { Recall } from "../../shared/memory/memory.ts";
import { createSearch } from "../../shared/memory/search.ts";
import { withIdempotency } from "../dependencies/http.ts";
import { openMemories } from "../dependencies/memories.ts";
import { openTable } from "../dependencies/table.ts";

export interface Dependencies extends HttpDependencies {
  recall: Recall;
}

/** POST /v1/memories/search */
export const createSearchMemories = (deps: Dependencies) =>
  createHttpHandler(memoryOperations.searchMemories, deps, async ({ user, body }) => {
    const { query: text, ...rest } = body;
    checkRange(rest);
    return { status: 200, body: { data: await deps.recall(user, { text, ...rest }) } };
  });

export const handler = lazy(() => {
  const settings = loadConfig();
  const table = openTable(settings);
  return createSearchMemories({
    ...withIdempotency(settings, table),
    recall: createSearch(openMemories(settings, table)),
  });
});

import type { Config } from "../../shared/config.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { memoryOperations } from "../../shared/http/operations/memory-operations.ts";
import { checkRange } from "../../shared/http/range.ts";
import type { Recall } from "../../shared/memory/memory.ts";
import { toMemory } from "../../shared/memory/memory.ts";
import type { MemoryStore } from "../../shared/memory/memory-store.ts";
import { findMemories } from "../../shared/memory/read-memories.ts";
import { createSearch, recallNothing } from "../../shared/memory/recall.ts";
import { lazyHandler, openIdempotentHttp, openTable } from "../compose.ts";
import { createLazyOpenAIEmbedder, openMemories } from "../compose-chat.ts";

interface Dependencies extends HttpDependencies {
  recall: Recall;
  memories: Pick<MemoryStore, "summary" | "find">;
}

/** The part of a result that the idempotency record keeps. */
interface KeptMemory {
  session_id: string;
  id: string;
  score: number | undefined;
}

/** POST /v1/memories/search */
export function createSearchMemories(deps: Dependencies) {
  return createHttpHandler(
    memoryOperations.searchMemories,
    deps,
    async ({ user, body }) => {
      const { query: text, ...rest } = body;
      checkRange(rest);
      const data = await deps.recall(user, { text, ...rest });
      const keep = () => data.map(({ session_id, id, score }): KeptMemory => ({ session_id, id, score }));
      return { status: 200, body: { data }, keep };
    },
    async ({ user }, kept: KeptMemory[]) => {
      const records = await findMemories(deps.memories, user, kept);
      const scores = new Map(kept.map(({ id, score }) => [id, score]));
      return { data: records.map((record) => toMemory(record, scores.get(record.id))) };
    },
  );
}

/** Opens the dependencies of a search. */
export function openSearch(config: Config): Dependencies {
  const table = openTable(config);
  const memories = openMemories(config, table, createLazyOpenAIEmbedder);
  const recall = config.MEMORY ? createSearch(memories) : recallNothing;
  return { ...openIdempotentHttp(config), ...memories, recall };
}

export const handler = lazyHandler((config) => createSearchMemories(openSearch(config)));

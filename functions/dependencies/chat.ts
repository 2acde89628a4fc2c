import type { ChatDependencies, ChatStores } from "../../shared/chat/turn.ts";
import { createTurnStore } from "../../shared/chat/turn-store.dynamodb.ts";
import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createIdempotencyStore } from "../../shared/http/idempotency.dynamodb.ts";
import type { StreamDependencies } from "../../shared/http/stream-handler.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import type { Plans } from "../../shared/limits/plans.ts";
import { specOf } from "../../shared/llm/models.ts";
import { isOffered } from "../../shared/llm/targets.ts";
import { createRecall, recallNothing } from "../../shared/memory/recall.ts";
import { openArchiveLater } from "./archive-later.ts";
import { httpOnly } from "./http.ts";
import { openMemories } from "./memories.ts";
import { openModel, targetSettings } from "./model.ts";
import { openRecorder } from "./recorder.ts";
import { openStores } from "./stores.ts";
import { openTable } from "./table.ts";

export type Dependencies = StreamDependencies & ChatDependencies & { plans: Plans };
export type FollowDependencies = StreamDependencies & ChatStores;

/** What following a turn needs. */
export const openFollow = (config: Config, table: Table = openTable(config)): FollowDependencies => ({
  ...httpOnly(config),
  ...openStores(table, openArchiveLater(config)),
  idempotency: createIdempotencyStore(table),
  turns: createTurnStore(table),
});

/** What running a turn needs. */
export function openChat(config: Config): Dependencies {
  const table = openTable(config);
  return {
    ...openFollow(config, table),
    limits: createLimits(table),
    plans: config.PLANS,
    model: openModel(config, table),
    isOffered: (model) => isOffered(targetSettings(config), model),
    specOf: (model) => specOf(model, config.CHAT_PRICES),
    recall: config.MEMORY ? createRecall(openMemories(config, table)) : recallNothing,
    recorder: openRecorder(config),
    settings: {
      model: config.CHAT_MODEL,
      systemPrompt: config.SYSTEM_PROMPT,
      maxMessages: config.MAX_SESSION_MESSAGES,
      maxContextTokens: config.MAX_CONTEXT_TOKENS,
      maxOutputTokens: config.MAX_OUTPUT_TOKENS,
      firstTokenTimeout: config.LLM_CONNECT_TIMEOUT + config.LLM_FIRST_TOKEN_TIMEOUT,
      totalTimeout: config.LLM_TOTAL_TIMEOUT,
      sessionTtlSeconds: config.SESSION_TTL_SECONDS,
    },
  };
}

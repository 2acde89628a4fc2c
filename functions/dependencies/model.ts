import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createApiKeys } from "../../shared/llm/api-key.ts";
import { createBreaker } from "../../shared/llm/breaker.ts";
import { createOpenAIModel } from "../../shared/llm/model.openai.ts";
import type { Model } from "../../shared/llm/model.ts";
import type { ProviderStore } from "../../shared/llm/provider-store.ts";
import { createProviderStore } from "../../shared/llm/providers.dynamodb.ts";
import { createQueue } from "../../shared/llm/queue.ts";
import { createResilientModel } from "../../shared/llm/resilient-model.ts";
import { createSecretReader } from "../../shared/llm/secret.aws.ts";
import type { TargetSettings } from "../../shared/llm/targets.ts";
import { troubleLine } from "../../shared/metrics/trouble.ts";
import { clock } from "./clock.ts";

/** The configured models behind all that keeps turns going when one of them does not. */
export function openModel(config: Config, table: Table): Model {
  const store = alarmed(createProviderStore(table), config.MEMOCHA_STAGE);
  const secret = { key: config.OPENAI_API_KEY, secret: config.OPENAI_SECRET_ARN };
  const timeouts = { connect: config.LLM_CONNECT_TIMEOUT, firstToken: config.LLM_FIRST_TOKEN_TIMEOUT };
  return createResilientModel({
    ask: createOpenAIModel(createApiKeys(secret, createSecretReader(), clock), timeouts),
    breaker: createBreaker(
      store,
      {
        threshold: config.LLM_BREAKER_THRESHOLD,
        openFor: config.LLM_BREAKER_OPEN,
        probeFor: timeouts.connect + timeouts.firstToken,
      },
      clock,
    ),
    queue: createQueue(
      store,
      {
        requestsPerMinute: config.LLM_REQUESTS_PER_MINUTE,
        tokensPerMinute: config.LLM_TOKENS_PER_MINUTE,
        patience: config.LLM_QUEUE_PATIENCE,
      },
      clock,
    ),
    targets: targetSettings(config),
    maxAttempts: config.LLM_MAX_ATTEMPTS,
    backoff: config.LLM_BACKOFF,
    clock,
  });
}

/** Which models there are, and where. */
export const targetSettings = (config: Config): TargetSettings => ({
  baseUrl: config.CHAT_BASE_URL || config.OPENAI_BASE_URL,
  model: config.CHAT_MODEL,
  fallbacks: config.CHAT_FALLBACKS,
  prices: config.CHAT_PRICES,
});

/** The store, from which somebody is told each time that a circuit opens, or stays open after a probe. */
function alarmed(store: ProviderStore, stage: string): ProviderStore {
  return {
    ...store,
    async open(provider, now) {
      console.log(troubleLine(stage, "BreakerOpen", 1, now));
      await store.open(provider, now);
    },
  };
}

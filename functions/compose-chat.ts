import type { ChatDependencies, ChatStores } from "../shared/chat/turn.ts";
import { createTurnStore } from "../shared/chat/turn-store.dynamodb.ts";
import type { Config } from "../shared/config.ts";
import type { Table } from "../shared/dynamodb/table.ts";
import { createFileStore } from "../shared/files/file-store.dynamodb.ts";
import { readPromptFiles } from "../shared/files/prompt-files.ts";
import type { HttpDependencies } from "../shared/http/chain.ts";
import { createIdempotencyStore } from "../shared/idempotency/idempotency-store.dynamodb.ts";
import type { IdempotencyStore } from "../shared/idempotency/idempotency-store.ts";
import { createLimits } from "../shared/limits/limits.dynamodb.ts";
import type { Plans } from "../shared/limits/plans.ts";
import { createApiKeys } from "../shared/llm/api-key.ts";
import { createBreaker } from "../shared/llm/breaker.ts";
import { createOpenAIModel } from "../shared/llm/model.openai.ts";
import type { Model } from "../shared/llm/model.ts";
import { embeddingCostOf, specOf } from "../shared/llm/models.ts";
import { createProviderModels, type ProviderModels } from "../shared/llm/provider-models.openai.ts";
import type { ProviderStore } from "../shared/llm/provider-store.ts";
import { createProviderStore } from "../shared/llm/providers.dynamodb.ts";
import { createQueue } from "../shared/llm/queue.ts";
import { createResilientModel } from "../shared/llm/resilient-model.ts";
import { createSecretReader } from "../shared/llm/secret.aws.ts";
import { isKnown, isOffered, type TargetSettings } from "../shared/llm/targets.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../shared/memory/embedder.lexical.ts";
import { createOpenAIEmbedder } from "../shared/memory/embedder.openai.ts";
import type { Embedder, Space } from "../shared/memory/embedder.ts";
import { createMemoryStore } from "../shared/memory/memory-store.dynamodb.ts";
import type { Layout } from "../shared/memory/memory-store.ts";
import { meteredEmbedding, meteredSearches } from "../shared/memory/metered.ts";
import { createRecall, recallNothing } from "../shared/memory/recall.ts";
import type { MemoryDependencies } from "../shared/memory/remember.ts";
import { troubleLine } from "../shared/metrics/trouble.ts";
import {
  clock,
  fileObjectsOpener,
  openHttp,
  openRecorder,
  openStores,
  openTable,
  openUngatedTable,
} from "./compose.ts";

// Joins the ports and adapters of chat and memory. Like compose.ts, importing it creates nothing.

export type FollowDependencies = HttpDependencies & ChatStores & { idempotency: IdempotencyStore };
export type ChatHandlerDependencies = FollowDependencies & ChatDependencies & { plans: Plans };

/** Dependencies of an operation that follows a turn. */
export function openFollow(config: Config, table: Table = openTable(config)): FollowDependencies {
  return {
    ...openHttp(config),
    ...openStores(config, table),
    idempotency: createIdempotencyStore(openUngatedTable(config)),
    turns: createTurnStore(table),
  };
}

/** Dependencies of an operation that runs a turn. */
export function openChat(config: Config): ChatHandlerDependencies {
  const table = openTable(config);
  const files = createFileStore(table);
  const openObjects = fileObjectsOpener(config);
  return {
    ...openFollow(config, table),
    limits: createLimits(openUngatedTable(config)),
    plans: config.PLANS,
    model: openModel(config, table),
    isOffered: (model) => isOffered(targetSettings(config), model),
    isKnown: (model) => isKnown(targetSettings(config), model),
    specOf: (model) => specOf(model, config.CHAT_PRICES),
    readFiles: (user, messages) => readPromptFiles({ files, openObjects, clock }, user, messages),
    recall: config.MEMORY ? createRecall(openMemories(config, table, createOpenAIEmbedder)) : recallNothing,
    recorder: openRecorder(config),
    settings: {
      model: config.CHAT_MODEL,
      ...(config.TITLE_MODEL ? { titleModel: config.TITLE_MODEL } : {}),
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

/** The configured models, with retries, a circuit breaker, a queue and fallbacks. */
function openModel(config: Config, table: Table): Model {
  const store = withAlarms(createProviderStore(table), config.MEMOCHA_STAGE);
  const timeouts = { connect: config.LLM_CONNECT_TIMEOUT, firstToken: config.LLM_FIRST_TOKEN_TIMEOUT };
  const circuit = {
    threshold: config.LLM_BREAKER_THRESHOLD,
    openFor: config.LLM_BREAKER_OPEN,
    probeFor: timeouts.connect + timeouts.firstToken,
  };
  const rates = {
    requestsPerMinute: config.LLM_REQUESTS_PER_MINUTE,
    tokensPerMinute: config.LLM_TOKENS_PER_MINUTE,
    patience: config.LLM_QUEUE_PATIENCE,
  };
  return createResilientModel({
    ask: createOpenAIModel(openApiKeys(config), timeouts),
    breaker: createBreaker(store, circuit, clock),
    queue: createQueue(store, rates, clock),
    targets: targetSettings(config),
    maxAttempts: config.LLM_MAX_ATTEMPTS,
    backoff: config.LLM_BACKOFF,
    clock,
  });
}

/** The configured models and their servers. */
export function targetSettings(config: Config): TargetSettings {
  return {
    baseUrl: config.CHAT_BASE_URL || config.OPENAI_BASE_URL,
    model: config.CHAT_MODEL,
    fallbacks: config.CHAT_FALLBACKS,
    prices: config.CHAT_PRICES,
  };
}

/** Lists the models of a provider. */
export function openProviderModels(config: Config): ProviderModels {
  return createProviderModels(openApiKeys(config));
}

/** Writes a metric for an alarm when a circuit opens, or stays open after a probe. */
function withAlarms(store: ProviderStore, stage: string): ProviderStore {
  return {
    ...store,
    async open(provider, now) {
      console.log(troubleLine(stage, "BreakerOpen", 1, now));
      await store.open(provider, now);
    },
  };
}

/**
 * Dependencies of remembering and recalling. The table records the layout of its vectors; `firstLayout` is for an empty table. The
 * function's recorder counts calls and searches: a function that is not an HTTP handler must flush it.
 */
export function openMemories(
  config: Config,
  table: Table,
  createEmbedder: typeof createOpenAIEmbedder,
): MemoryDependencies {
  return {
    memories: meteredSearches(createMemoryStore(table, clock), openRecorder(config)),
    embedderOf: oncePerSpace((space) =>
      space.model === LEXICAL_MODEL
        ? createLexicalEmbedder(space.dimensions)
        : openEmbedder(config, space, createEmbedder),
    ),
    firstLayout: firstLayout(config),
    clock,
  };
}

/** Slot a has an index for the vectors of a model, b a smaller one for those of the built-in embedding. */
export function firstLayout(config: Config): Layout {
  const slot = configuredSpace(config, "a").model === LEXICAL_MODEL ? "b" : "a";
  return { slot, space: configuredSpace(config, slot) };
}

/** The configured embedding model, with the dimensions of the index in this slot. */
export function configuredSpace(config: Config, slot: "a" | "b"): Space {
  // A self-hosted server may need no key.
  const hasServer =
    config.OPENAI_API_KEY !== "" ||
    config.OPENAI_SECRET_ARN !== "" ||
    new URL(config.OPENAI_BASE_URL).host !== "api.openai.com";
  return {
    model: hasServer && config.EMBEDDING_MODEL !== "lexical" ? config.EMBEDDING_MODEL : LEXICAL_MODEL,
    dimensions: config.EMBEDDING_DIMENSIONS[slot],
  };
}

/** Creates one embedder per space, because an embedder keeps its connections and its API key. */
function oncePerSpace(create: (space: Space) => Embedder): (space: Space) => Embedder {
  const embedders = new Map<string, Embedder>();
  return (space) => {
    const name = `${space.model} ${space.dimensions}`;
    const embedder = embedders.get(name) ?? create(space);
    embedders.set(name, embedder);
    return embedder;
  };
}

/** Loads OpenAI's SDK, in a file beside the bundle, at the first use: a deployment with the lexical embedder never needs it. */
export function createLazyOpenAIEmbedder(...settings: Parameters<typeof createOpenAIEmbedder>): Embedder {
  const [, space] = settings;
  let loading: Promise<Embedder> | undefined;
  const load = () => {
    loading ??= import("../shared/memory/embedder.openai.ts").then((module) =>
      module.createOpenAIEmbedder(...settings),
    );
    return loading;
  };
  return {
    space,
    embed: async (passages) => (await load()).embed(passages),
    embedQuery: async (text, statistics) => (await load()).embedQuery(text, statistics),
  };
}

function openEmbedder(config: Config, space: Space, createEmbedder: typeof createOpenAIEmbedder): Embedder {
  const keyOf = openApiKeys(config);
  const baseURL = config.OPENAI_BASE_URL;
  return createEmbedder(
    {
      apiKey: () => keyOf(new URL(baseURL).host),
      baseURL,
      onCall: meteredEmbedding(openRecorder(config), (model, tokens) =>
        embeddingCostOf(model, tokens, config.CHAT_PRICES),
      ),
    },
    space,
  );
}

function openApiKeys({ OPENAI_API_KEY, OPENAI_SECRET_ARN }: Config): ReturnType<typeof createApiKeys> {
  return createApiKeys({ key: OPENAI_API_KEY, secret: OPENAI_SECRET_ARN }, createSecretReader(), clock);
}

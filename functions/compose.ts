import { executionModeStreamifyResponse } from "@middy/core/executionModeStreamifyResponse";
import { createArchive } from "../shared/archive/archive.s3.ts";
import { createArchivedDays } from "../shared/archive/archived-days.s3.ts";
import { openObjects } from "../shared/archive/objects.s3.ts";
import type { ChatDependencies, ChatStores } from "../shared/chat/turn.ts";
import { createTurnStore } from "../shared/chat/turn-store.dynamodb.ts";
import type { Clock } from "../shared/clock.ts";
import { type Config, loadConfig } from "../shared/config.ts";
import { createDynamoDB } from "../shared/dynamodb/create-dynamodb.ts";
import { createTable, type Table } from "../shared/dynamodb/table.ts";
import { openFileObjects } from "../shared/files/file-objects.s3.ts";
import { createFileStore } from "../shared/files/file-store.dynamodb.ts";
import type { FileDependencies } from "../shared/files/manage-files.ts";
import { createSessionFiles } from "../shared/files/session-files.ts";
import type { HttpDependencies } from "../shared/http/chain.ts";
import { createIdempotencyStore } from "../shared/idempotency/idempotency-store.dynamodb.ts";
import type { IdempotencyStore } from "../shared/idempotency/idempotency-store.ts";
import type { BuildPorts } from "../shared/lake/build-day.ts";
import { createChangedDays } from "../shared/lake/changed-days.dynamodb.ts";
import { createLake } from "../shared/lake/lake.s3.ts";
import type { ChangedDays } from "../shared/lake/lake.ts";
import { readLakeKey } from "../shared/lake/lake-key.aws.ts";
import { createPseudonyms } from "../shared/lake/pseudonyms.ts";
import { createLimits } from "../shared/limits/limits.dynamodb.ts";
import type { Plans } from "../shared/limits/plans.ts";
import { createApiKeys } from "../shared/llm/api-key.ts";
import { createBreaker } from "../shared/llm/breaker.ts";
import { createOpenAIModel } from "../shared/llm/model.openai.ts";
import type { Model } from "../shared/llm/model.ts";
import { specOf } from "../shared/llm/models.ts";
import { createProviderModels, type ProviderModels } from "../shared/llm/provider-models.openai.ts";
import type { ProviderStore } from "../shared/llm/provider-store.ts";
import { createProviderStore } from "../shared/llm/providers.dynamodb.ts";
import { createQueue } from "../shared/llm/queue.ts";
import { createResilientModel } from "../shared/llm/resilient-model.ts";
import { createSecretReader } from "../shared/llm/secret.aws.ts";
import { isOffered, type TargetSettings } from "../shared/llm/targets.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../shared/memory/embedder.lexical.ts";
import { createOpenAIEmbedder } from "../shared/memory/embedder.openai.ts";
import type { Embedder, Space } from "../shared/memory/embedder.ts";
import { createSessionMemories } from "../shared/memory/forget.ts";
import { createMemoryStore } from "../shared/memory/memory-store.dynamodb.ts";
import { meteredEmbedding, meteredSearches } from "../shared/memory/metered.ts";
import { createRecall, recallNothing } from "../shared/memory/recall.ts";
import type { MemoryDependencies } from "../shared/memory/remember.ts";
import { createRecorder } from "../shared/metrics/record.dynamodb.ts";
import type { Recorder } from "../shared/metrics/record.ts";
import { troubleLine } from "../shared/metrics/trouble.ts";
import { createS3 } from "../shared/s3/create-s3.ts";
import type { Archive } from "../shared/session/archive.ts";
import { createMessageStore } from "../shared/session/messages.dynamodb.ts";
import { createSessionStore } from "../shared/session/store.dynamodb.ts";
import type { Stores } from "../shared/session/store.ts";

// Joins ports and adapters for the handlers. Importing this file creates nothing, so that a bundle contains only the adapters that
// its handler opens.

/** The clock of the machine. */
export const clock: Clock = Date.now;

/** Creates the handler at its first call, so that importing its file reads no environment and opens no client. */
export function lazyHandler<A extends unknown[], R>(create: (config: Config) => (...args: A) => R): (...args: A) => R {
  let handler: ((...args: A) => R) | undefined;
  return (...args) => {
    handler ??= create(loadConfig());
    return handler(...args);
  };
}

/** Like `lazyHandler`, for a handler that streams its answer. */
export function lazyStreamHandler<A extends unknown[], R>(
  create: (config: Config, executionMode: typeof executionModeStreamifyResponse) => (...args: A) => R,
): (...args: A) => R {
  const handler = lazyHandler((config) => create(config, executionModeStreamifyResponse));
  const { awslambda } = globalThis as { awslambda?: { streamifyResponse?: <T>(handler: T) => T } };
  // streamifyResponse marks a handler as streaming for Lambda. Only Lambda's runtime has it, so in a test the handler does not
  // stream. The AWS SDK may have created the object `awslambda` without it.
  return awslambda?.streamifyResponse?.(handler) ?? handler;
}

/** One client per function instance, so that the tables share connections. */
let dynamodb: ReturnType<typeof createDynamoDB> | undefined;

function openNamedTable(name: string): Table {
  dynamodb ??= createDynamoDB();
  return createTable(dynamodb, name);
}

export function openTable({ CONVERSATIONS_TABLE }: Config): Table {
  return openNamedTable(CONVERSATIONS_TABLE);
}

export function openMetricsTable({ METRICS_TABLE }: Config): Table {
  return openNamedTable(METRICS_TABLE);
}

/** One recorder per function instance: it writes the metrics of LLM, embedding and search calls with the metric of the request. */
let recorder: Recorder | undefined;

export function openRecorder(config: Config): Recorder {
  recorder ??= createRecorder(openMetricsTable(config), clock);
  return recorder;
}

/** Dependencies of every HTTP handler. */
export function openHttp(config: Config): HttpDependencies {
  return { clock, corsOrigins: config.CORS_ORIGINS, recorder: openRecorder(config) };
}

/** Dependencies of the handlers of POST operations. */
export function openIdempotentHttp(config: Config, table: Table): HttpDependencies {
  return { ...openHttp(config), idempotency: createIdempotencyStore(table) };
}

/** The archive, for functions that use it in every call. */
export function openArchive({ ARCHIVE_BUCKET }: Config): Archive {
  return createArchive(async () => openObjects(ARCHIVE_BUCKET));
}

/** The archive, for functions that rarely use it. They load the S3 client, a separate file of the bundle, at its first use. */
export function openArchiveLater({ ARCHIVE_BUCKET }: Config): Archive {
  return createArchive(async () => (await import("../shared/archive/objects.s3.ts")).openObjects(ARCHIVE_BUCKET));
}

/** Dependencies of the operations on files. */
export function openFiles({ ARCHIVE_BUCKET }: Config, table: Table): FileDependencies {
  return {
    files: createFileStore(table),
    objects: openFileObjects(ARCHIVE_BUCKET),
    sessions: createSessionStore(table),
    clock,
  };
}

/** All stores of a session. */
export function openStores({ ARCHIVE_BUCKET }: Config, table: Table, archive: Archive): Stores {
  return {
    sessions: createSessionStore(table),
    messages: createMessageStore(table),
    memories: createSessionMemories(createMemoryStore(table, clock)),
    files: createSessionFiles({
      files: createFileStore(table),
      openObjects: async () => (await import("../shared/files/file-objects.s3.ts")).openFileObjects(ARCHIVE_BUCKET),
      clock,
    }),
    archive,
    clock,
  };
}

/** Dependencies of the jobs that build the lake. The secret key of the user hashes is read once, at the first call. */
export function openLake(config: Config, table: Table): () => Promise<BuildPorts & { changes: ChangedDays }> {
  const s3 = createS3();
  const ports = {
    archived: createArchivedDays(s3, config.ARCHIVE_BUCKET),
    lake: createLake(s3, config.ARCHIVE_BUCKET),
    changes: createChangedDays(table),
  };
  let key: string | undefined;
  return async () => {
    key ??= await readLakeKey(config.LAKE_KEY_SECRET);
    return { ...ports, settings: { pseudonym: createPseudonyms(key), content: config.LAKE_CONTENT } };
  };
}

export type FollowDependencies = HttpDependencies & ChatStores & { idempotency: IdempotencyStore };
export type ChatHandlerDependencies = FollowDependencies & ChatDependencies & { plans: Plans };

/** Dependencies of an operation that follows a turn. */
export function openFollow(config: Config, table: Table = openTable(config)): FollowDependencies {
  return {
    ...openHttp(config),
    ...openStores(config, table, openArchiveLater(config)),
    idempotency: createIdempotencyStore(table),
    turns: createTurnStore(table),
  };
}

/** Dependencies of an operation that runs a turn. */
export function openChat(config: Config): ChatHandlerDependencies {
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
 * Dependencies of remembering and recalling. The table records the model of its vectors; `defaultSpace` is for an empty table. The
 * function's recorder counts calls and searches: a function that is not an HTTP handler must flush it.
 */
export function openMemories(config: Config, table: Table): MemoryDependencies {
  return {
    memories: meteredSearches(createMemoryStore(table, clock), openRecorder(config)),
    embedderOf: oncePerSpace((space) =>
      space.model === LEXICAL_MODEL ? createLexicalEmbedder(space.dimensions) : openEmbedder(config, space),
    ),
    defaultSpace: configuredSpace(config, "a"),
    clock,
  };
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

function openEmbedder(config: Config, space: Space): Embedder {
  const keyOf = openApiKeys(config);
  const baseURL = config.OPENAI_BASE_URL;
  return createOpenAIEmbedder(
    {
      apiKey: () => keyOf(new URL(baseURL).host),
      baseURL,
      onCall: meteredEmbedding(openRecorder(config), config.CHAT_PRICES),
    },
    space,
  );
}

function openApiKeys({ OPENAI_API_KEY, OPENAI_SECRET_ARN }: Config): ReturnType<typeof createApiKeys> {
  return createApiKeys({ key: OPENAI_API_KEY, secret: OPENAI_SECRET_ARN }, createSecretReader(), clock);
}

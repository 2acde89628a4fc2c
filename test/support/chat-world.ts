import { randomUUID } from "node:crypto";
import { startTurn } from "../../shared/chat/start-turn.ts";
import type { ChatDependencies, ChatSettings, Turn, TurnRequest } from "../../shared/chat/turn.ts";
import { createTurnStore } from "../../shared/chat/turn-store.dynamodb.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { readPromptFiles } from "../../shared/files/prompt-files.ts";
import type { Claim } from "../../shared/idempotency/claim.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import type { NamedPlan } from "../../shared/limits/plans.ts";
import { createBreaker } from "../../shared/llm/breaker.ts";
import { createOpenAIModel } from "../../shared/llm/model.openai.ts";
import type { ModelRequest } from "../../shared/llm/model.ts";
import type { ProviderStore } from "../../shared/llm/provider-store.ts";
import { createProviderStore } from "../../shared/llm/providers.dynamodb.ts";
import { createQueue } from "../../shared/llm/queue.ts";
import { createResilientModel } from "../../shared/llm/resilient-model.ts";
import type { Metric } from "../../shared/metrics/metric.ts";
import type { World } from "./world.ts";

export const FREE: NamedPlan = { name: "free", requests_per_minute: 0, tokens_per_day: 0 };

export interface ModelOptions {
  url: string;
  fallbacks?: string[];
  connect?: number;
  firstToken?: number;
  maxAttempts?: number;
  threshold?: number;
  openFor?: number;
  /** Clock of the breaker. @default the machine's */
  clock?: Clock;
  /** @default a fixed key */
  apiKey?: () => Promise<string>;
  /** State shared by all instances. @default in the table */
  store?: ProviderStore;
  /** Milliseconds for the probe of an open circuit. */
  probeFor?: number;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  patience?: number;
}

/** Creates the model of one function instance. Instances share only the state in the table. */
export function createInstance(table: Table, options: ModelOptions) {
  const store = options.store ?? createProviderStore(table);
  // Long enough for a busy machine. Tests of these timeouts set shorter ones.
  const { connect = 10_000, firstToken = 10_000, threshold = 3, openFor = 400 } = options;
  return createResilientModel({
    ask: createOpenAIModel(options.apiKey ?? (async () => "key"), { connect, firstToken }),
    breaker: createBreaker(
      store,
      { threshold, openFor, probeFor: options.probeFor ?? 1000 },
      options.clock ?? Date.now,
    ),
    queue: createQueue(
      store,
      {
        requestsPerMinute: options.requestsPerMinute ?? 0,
        tokensPerMinute: options.tokensPerMinute ?? 0,
        patience: options.patience ?? 1000,
      },
      Date.now,
    ),
    targets: { baseUrl: options.url, model: "model-a", fallbacks: options.fallbacks ?? [], prices: {} },
    maxAttempts: options.maxAttempts ?? 3,
    backoff: 20,
    clock: Date.now,
  });
}

export const ask = (content = "hello there", more: Partial<ModelRequest> = {}): ModelRequest => ({
  promptFor: async () => ({ messages: [{ role: "user", content }], tokens: 10, maxOutputTokens: 100 }),
  firstTokenWithin: 10_000,
  signal: new AbortController().signal,
  ...more,
});

export const SETTINGS: ChatSettings = {
  model: "model-a",
  systemPrompt: "Be brief.",
  maxMessages: 30,
  maxContextTokens: 4000,
  maxOutputTokens: 500,
  firstTokenTimeout: 10_000,
  totalTimeout: 20_000,
  sessionTtlSeconds: 3600,
};

/** Creates the dependencies of turns, with the fake server as the provider. */
export function createChatWorld(world: World, url: string, settings: Partial<ChatSettings> = {}) {
  const metrics: Metric[] = [];
  const deps: ChatDependencies = {
    ...world.stores,
    turns: createTurnStore(world.table),
    limits: createLimits(world.ungated),
    model: createInstance(world.table, { url }),
    isOffered: (model) => model !== "nobody",
    isKnown: (model) => model === SETTINGS.model,
    specOf: () => ({ context: 8192, input: 1, output: 2 }),
    readFiles: (user, messages) =>
      readPromptFiles(
        { files: world.files, openObjects: async () => world.fileObjects, clock: world.stores.clock },
        user,
        messages,
      ),
    recorder: {
      record: async (metric) => {
        metrics.push(metric);
      },
      note: (metric) => void metrics.push(metric),
      flush: async () => undefined,
    },
    settings: { ...SETTINGS, ...settings },
    clock: world.stores.clock,
  };
  return { deps, metrics };
}

/** Creates a request for a turn, as a handler does. */
export function turnRequest(
  deps: ChatDependencies,
  user: string,
  id: string,
  content: string,
  more: Partial<TurnRequest> & { claim?: Claim } = {},
): TurnRequest {
  const { claim, ...rest } = more;
  const made: Claim = claim ?? { kind: "first", identity: { seed: randomUUID(), at: deps.clock() } };
  return {
    session: { user, id },
    plan: FREE,
    claims: { claim: async () => made, keep: async () => undefined, release: async () => undefined },
    question: { role: "user", content },
    memory: false,
    deadline: deps.clock() + 60_000,
    ...rest,
  };
}

/** Runs a turn to its end, and returns the text of the answer. */
export async function runTurn(deps: ChatDependencies, request: TurnRequest): Promise<{ turn: Turn; text: string }> {
  const turn = await startTurn(deps, request);
  const text = await textOf(turn);
  await turn.done;
  return { turn, text };
}

export async function textOf(turn: Turn): Promise<string> {
  let text = "";
  for await (const event of turn.events()) if (event.kind === "text") text += event.text;
  return text;
}

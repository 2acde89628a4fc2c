import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createApiKeys } from "../../shared/llm/api-key.ts";
import { createSecretReader } from "../../shared/llm/secret.aws.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../shared/memory/embedder.lexical.ts";
import { createOpenAIEmbedder } from "../../shared/memory/embedder.openai.ts";
import type { Embedder, Space } from "../../shared/memory/embedder.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { meteredEmbedding, meteredSearches } from "../../shared/memory/metered.ts";
import type { MemoryDependencies } from "../../shared/memory/remember.ts";
import { clock } from "./clock.ts";
import { openRecorder } from "./recorder.ts";

/**
 * What remembering and recalling need. Which model a table's vectors are of, the table says; this is for an empty one. Calls and
 * searches are noted with the function's recorder: whoever is not an HTTP handler flushes it.
 */
export const openMemories = (config: Config, table: Table): MemoryDependencies => ({
  memories: meteredSearches(createMemoryStore(table, clock), openRecorder(config)),
  embedderOf: oncePerSpace((space) =>
    space.model === LEXICAL_MODEL ? createLexicalEmbedder(space.dimensions) : openAI(config, space),
  ),
  defaultSpace: configuredSpace(config, "a"),
  clock,
});

/** The space that the configuration asks for, with the dimensions that the index of this slot has. */
export const configuredSpace = (config: Config, slot: "a" | "b"): Space => ({
  model: hasModels(config) && config.EMBEDDING_MODEL !== "lexical" ? config.EMBEDDING_MODEL : LEXICAL_MODEL,
  dimensions: config.EMBEDDING_DIMENSIONS[slot],
});

/** Clients keep their connections, and the key that they have read. */
function oncePerSpace(make: (space: Space) => Embedder): (space: Space) => Embedder {
  const made = new Map<string, Embedder>();
  return (space) => {
    const name = `${space.model} ${space.dimensions}`;
    const embedder = made.get(name) ?? make(space);
    made.set(name, embedder);
    return embedder;
  };
}

/** A server of one's own may want no key. */
const hasModels = ({ OPENAI_API_KEY, OPENAI_SECRET_ARN, OPENAI_BASE_URL }: Config): boolean =>
  OPENAI_API_KEY !== "" || OPENAI_SECRET_ARN !== "" || new URL(OPENAI_BASE_URL).host !== "api.openai.com";

function openAI(config: Config, space: Space): Embedder {
  const { OPENAI_API_KEY, OPENAI_SECRET_ARN, OPENAI_BASE_URL, CHAT_PRICES } = config;
  const secret = { key: OPENAI_API_KEY, secret: OPENAI_SECRET_ARN };
  const keyOf = createApiKeys(secret, createSecretReader(), clock);
  return createOpenAIEmbedder(
    {
      apiKey: () => keyOf(new URL(OPENAI_BASE_URL).host),
      baseURL: OPENAI_BASE_URL,
      onCall: meteredEmbedding(openRecorder(config), CHAT_PRICES),
    },
    space,
  );
}

import { startStopwatch } from "../clock.ts";
import { AppError } from "../errors.ts";
import { embeddingCostOf, type ModelOverrides } from "../llm/models.ts";
import type { Recorder } from "../metrics/record.ts";
import type { EmbeddingCall } from "./embedder.openai.ts";
import type { MemoryStore } from "./store.ts";

/** Notes a metric of each call to an embedding model. */
export const meteredEmbedding =
  (recorder: Pick<Recorder, "note">, prices: ModelOverrides) =>
  ({ model, duration, tokens, error }: EmbeddingCall): void =>
    recorder.note({
      kind: "embedding.call",
      dimensions: { model },
      measures: {
        duration_ms: duration,
        ...(tokens === undefined ? {} : { input_tokens: tokens, cost_usd: embeddingCostOf(model, tokens, prices) }),
      },
      ...(error === undefined ? {} : { error }),
    });

/** The store, noting a metric of each search of its vector index: a recall makes six at most, side by side. */
export const meteredSearches = (memories: MemoryStore, recorder: Pick<Recorder, "note">): MemoryStore => ({
  ...memories,
  async search(user, request) {
    const elapsed = startStopwatch();
    const note = (results: number | undefined, error?: string) =>
      recorder.note({
        kind: "search.call",
        dimensions: {},
        measures: { duration_ms: elapsed(), ...(results === undefined ? {} : { results }) },
        ...(error === undefined ? {} : { error }),
      });
    try {
      const found = await memories.search(user, request);
      note(found.length);
      return found;
    } catch (error) {
      note(undefined, error instanceof AppError ? error.code : "internal");
      throw error;
    }
  },
});

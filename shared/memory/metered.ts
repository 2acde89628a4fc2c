import { startStopwatch } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Recorder } from "../metrics/recorder.ts";
import type { EmbeddingCall } from "./embedder.openai.ts";
import type { MemoryStore } from "./memory-store.ts";

/** Notes a metric for each call to an embedding model. `costOf` returns US dollars. */
export function meteredEmbedding(recorder: Pick<Recorder, "note">, costOf: (model: string, tokens: number) => number) {
  return ({ model, duration, tokens, error }: EmbeddingCall): void =>
    recorder.note({
      kind: "embedding.call",
      dimensions: { model },
      measures: {
        duration_ms: duration,
        ...(tokens === undefined ? {} : { input_tokens: tokens, cost_usd: costOf(model, tokens) }),
      },
      ...(error === undefined ? {} : { error }),
    });
}

/** Notes a metric for each search of the vector index. A recall makes up to six, in parallel. */
export function meteredSearches(memories: MemoryStore, recorder: Pick<Recorder, "note">): MemoryStore {
  return {
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
  };
}

import { afterEach, expect, it, vi } from "vitest";
import { firstLayout } from "../../functions/compose-chat.ts";
import { loadConfig } from "../../shared/config.ts";

afterEach(() => vi.unstubAllEnvs());

it("a new table begins in slot b for the built-in embedding, and in slot a for a model", () => {
  expect(firstLayout(loadConfig())).toEqual({ slot: "b", space: { model: "lexical-1", dimensions: 200 } });
  vi.stubEnv("OPENAI_API_KEY", "key");
  expect(firstLayout(loadConfig())).toEqual({
    slot: "a",
    space: { model: "text-embedding-3-small", dimensions: 512 },
  });
  vi.stubEnv("EMBEDDING_MODEL", "lexical");
  vi.stubEnv("EMBEDDING_DIMENSIONS", "768,1024");
  expect(firstLayout(loadConfig())).toEqual({ slot: "b", space: { model: "lexical-1", dimensions: 1024 } });
});

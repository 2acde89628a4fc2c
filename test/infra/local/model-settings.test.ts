import { afterEach, expect, test, vi } from "vitest";
import { startModels } from "../../../infra/local/model-settings.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const asks = { CHAT_MODEL: "gpt-5-mini", EMBEDDING_MODEL: "text-embedding-3-small" };
const embeds = { EMBEDDING_MODEL: "text-embedding-3-small" };

test("functions that ask models or embed have memory, unless the engine has no vector indexes", async () => {
  const withMemory = await startModels({ memory: true });
  expect([withMemory.overrides(asks).MEMORY, withMemory.overrides(embeds).MEMORY]).toEqual([undefined, undefined]);
  await withMemory.close();
  const without = await startModels({ memory: false });
  expect([without.overrides(asks).MEMORY, without.overrides(embeds).MEMORY]).toEqual(["off", "off"]);
  expect(without.overrides({ TABLE: "x" })).toEqual({});
  await without.close();
});

test("the user can switch memory off, but not on where there are no vector indexes", async () => {
  vi.stubEnv("MEMORY", "off");
  const off = await startModels({ memory: true });
  expect(off.overrides(embeds).MEMORY).toBe("off");
  await off.close();
  vi.stubEnv("MEMORY", "on");
  const none = await startModels({ memory: false });
  expect(none.overrides(embeds).MEMORY).toBe("off");
  await none.close();
});

import { afterEach, expect, test, vi } from "vitest";
import { startModels } from "../../../../infra/cli/start/start-models.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const asks = { CHAT_MODEL: "gpt-5-mini", EMBEDDING_MODEL: "text-embedding-3-small" };
const embeds = { EMBEDDING_MODEL: "text-embedding-3-small" };

test("functions that call models or embed have memory, unless the engine has no vector indexes", async () => {
  const { variables, close } = await startModels();
  const [withVectors, without] = [{ vectors: true }, { vectors: false }];
  expect([variables(asks, withVectors).MEMORY, variables(embeds, withVectors).MEMORY]).toEqual([undefined, undefined]);
  expect([variables(asks, without).MEMORY, variables(embeds, without).MEMORY]).toEqual(["off", "off"]);
  expect(variables({ TABLE: "x" }, without)).toEqual({});
  await close();
});

test("the user can switch memory off, but not on when the engine has no vector indexes", async () => {
  vi.stubEnv("MEMORY", "off");
  const off = await startModels();
  expect(off.variables(embeds, { vectors: true }).MEMORY).toBe("off");
  await off.close();
  vi.stubEnv("MEMORY", "on");
  const on = await startModels();
  expect(on.variables(embeds, { vectors: false }).MEMORY).toBe("off");
  await on.close();
});

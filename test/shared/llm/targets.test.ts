import { describe, expect, it } from "vitest";
import { isKnown, isOffered, targetsOf } from "../../../shared/llm/targets.ts";

const openai = {
  baseUrl: "https://api.openai.com/v1",
  model: "gpt-5-mini",
  fallbacks: ["gpt-6", "llama@http://10.0.0.1:8000/v1"],
  prices: { "gpt-7": { input: 1 } },
};

describe("models", () => {
  it.each([
    ["of a known price", "gpt-4o-mini-2024-07-18", true],
    ["whose price is configured", "gpt-7-2027-03-01", true],
    ["that a fallback names", "gpt-6", true],
    ["whose price is unknown", "gpt-8", false],
  ])("%s: %s is offered: %s", (_what, model, offered) => {
    expect(isOffered(openai, model)).toBe(offered);
  });

  it("of a self-hosted server are all offered", () => {
    const local = { ...openai, baseUrl: "http://localhost:11434/v1" };
    expect(isOffered(local, "anything")).toBe(true);
    expect(["anything", "gpt-8", "gpt-6", "llama", "gpt-4o-mini"].filter((model) => isKnown(local, model))).toEqual([
      "gpt-6",
      "llama",
      "gpt-4o-mini",
    ]);
  });

  it("are asked in order, none twice", () => {
    expect(targetsOf(openai, "gpt-6").map(({ provider, model }) => [provider, model])).toEqual([
      ["api.openai.com", "gpt-6"],
      ["10.0.0.1:8000", "llama"],
    ]);
    expect(targetsOf(openai)[0]).toMatchObject({ model: "gpt-5-mini", isOpenAI: true });
  });
});

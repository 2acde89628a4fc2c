import { afterEach, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../../shared/config.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const loadWith = (variables: Record<string, string>) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  return loadConfig();
};

describe("the configuration", () => {
  it("has a default for everything", () => {
    expect(loadConfig()).toMatchObject({
      SESSION_TTL_SECONDS: 604_800,
      MAX_SESSION_MESSAGES: 30,
      EMBEDDING_DIMENSIONS: { a: 512, b: 512 },
      CHAT_FALLBACKS: [],
      CHAT_PRICES: {},
      LAKE_CONTENT: true,
      MONTHLY_BUDGET_USD: 100,
    });
  });

  it("is read from the environment", () => {
    const config = loadWith({
      SESSION_TTL_SECONDS: "0",
      EMBEDDING_DIMENSIONS: "512,1024",
      CHAT_FALLBACKS: "model-b,model-c@https://other.example/v1",
      CHAT_PRICES: '{"model-a": {"input": 1.5}}',
      PLANS: '{"free": {"requests_per_minute": 5, "tokens_per_day": 0}}',
      LAKE_CONTENT: "false",
      MONTHLY_BUDGET_USD: "0.5",
    });
    expect(config).toMatchObject({
      SESSION_TTL_SECONDS: 0,
      EMBEDDING_DIMENSIONS: { a: 512, b: 1024 },
      CHAT_FALLBACKS: ["model-b", "model-c@https://other.example/v1"],
      CHAT_PRICES: { "model-a": { input: 1.5 } },
      PLANS: { free: { requests_per_minute: 5, tokens_per_day: 0 } },
      LAKE_CONTENT: false,
      MONTHLY_BUDGET_USD: 0.5,
    });
  });

  it.each([
    ["SESSION_TTL_SECONDS", "soon", "expected number"],
    ["SESSION_TTL_SECONDS", "-1", ">=0"],
    ["MAX_SESSION_MESSAGES", "501", "<=500"],
    ["MAX_OUTPUT_TOKENS", "1.5", "expected int"],
    ["EMBEDDING_DIMENSIONS", "512", "pattern"],
    ["OPENAI_BASE_URL", "not a url", "Invalid URL"],
    ["CHAT_MODEL", "", ">=1 characters"],
    ["CHAT_PRICES", "{", "must be JSON"],
    ["PLANS", '{"free": {"requests_per_minute": 5}}', "expected number"],
    ["LAKE_CONTENT", "perhaps", "expected one of"],
  ])("does not take %s=%s", (name, value, why) => {
    expect(() => loadWith({ [name]: value })).toThrow(name);
    expect(() => loadConfig()).toThrow(why);
  });
});

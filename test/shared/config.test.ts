import { afterEach, describe, expect, it, vi } from "vitest";
import { type Config, loadConfig } from "../../shared/config.ts";
import { defaultPlans } from "../../shared/limits/plans.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What holds where the environment says nothing. */
const defaults: Config = {
  CONVERSATIONS_TABLE: "conversations",
  METRICS_TABLE: "metrics",
  AUDIT_OUTBOX_TABLE: "audit-outbox",
  AUDIT_TABLE: "audit",
  EXPORTS_TABLE: "exports",
  ARCHIVE_BUCKET: "archive",
  SESSION_TTL_SECONDS: 604_800,
  MAX_SESSIONS_PER_USER: 0,
  OIDC_ISSUER: "",
  OIDC_AUDIENCE: "",
  CORS_ORIGINS: [],
  MCP_REDIRECT_URLS: [],
  MEMORY: true,
  EMBEDDING_MODEL: "text-embedding-3-small",
  EMBEDDING_DIMENSIONS: { a: 512, b: 200 },
  OPENAI_BASE_URL: "https://api.openai.com/v1",
  OPENAI_API_KEY: "",
  OPENAI_SECRET_ARN: "",
  CHAT_BASE_URL: "",
  CHAT_MODEL: "gpt-5-mini",
  TITLE_MODEL: "",
  CHAT_FALLBACKS: [],
  CHAT_PRICES: {},
  SYSTEM_PROMPT: "You are a helpful assistant.",
  MAX_SESSION_MESSAGES: 30,
  MAX_CONTEXT_TOKENS: 32_000,
  MAX_OUTPUT_TOKENS: 4096,
  PLANS: defaultPlans,
  LLM_CONNECT_TIMEOUT: 10_000,
  LLM_FIRST_TOKEN_TIMEOUT: 30_000,
  LLM_TOTAL_TIMEOUT: 240_000,
  LLM_MAX_ATTEMPTS: 3,
  LLM_BACKOFF: 500,
  LLM_BREAKER_THRESHOLD: 5,
  LLM_BREAKER_OPEN: 15_000,
  LLM_REQUESTS_PER_MINUTE: 0,
  LLM_TOKENS_PER_MINUTE: 0,
  LLM_QUEUE_PATIENCE: 20_000,
  LAKE_KEY_SECRET: "",
  RETENTION: {},
  PRIVACY_KEY_SECRET: "",
  USER_POOL_ID: "",
  LONGEST_REQUEST: 330,
  LAKE_CONTENT: "redacted",
  PAGE_CLIENT_ID: "",
  PAGE_ORIGINS: [],
  AWS_ENDPOINT_URL_S3: "",
  DEAD_LETTERS_URL: "",
  MONTHLY_BUDGET_USD: 100,
  MEMOCHA_STAGE: "local",
  MEMOCHA_VERSION: "0.0.0",
};

const loadWith = (variables: Record<string, string>) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  return loadConfig();
};

describe("the configuration", () => {
  it("has a default for everything", () => {
    for (const name of Object.keys(defaults)) vi.stubEnv(name, undefined);
    expect(loadConfig()).toEqual(defaults);
  });

  it("is read from the environment", () => {
    const config = loadWith({
      SESSION_TTL_SECONDS: "0",
      EMBEDDING_DIMENSIONS: "512,1024",
      CHAT_FALLBACKS: "model-b,,model-c@https://other.example/v1",
      CHAT_PRICES: '{"model-a": {"input": 1.5, "cached": 0.5}}',
      PLANS: '{"free": {"requests_per_minute": 5, "tokens_per_day": 0}}',
      LAKE_CONTENT: "none",
      MONTHLY_BUDGET_USD: "0.5",
    });
    expect(config).toMatchObject({
      SESSION_TTL_SECONDS: 0,
      EMBEDDING_DIMENSIONS: { a: 512, b: 1024 },
      CHAT_FALLBACKS: ["model-b", "model-c@https://other.example/v1"],
      CHAT_PRICES: { "model-a": { input: 1.5, cached: 0.5 } },
      PLANS: { free: { requests_per_minute: 5, tokens_per_day: 0 } },
      LAKE_CONTENT: "none",
      MONTHLY_BUDGET_USD: 0.5,
    });
  });

  it.each([
    ["SESSION_TTL_SECONDS", "soon", "expected number"],
    ["SESSION_TTL_SECONDS", "-1", ">=0"],
    ["MAX_SESSION_MESSAGES", "501", "<=500"],
    ["MAX_OUTPUT_TOKENS", "1.5", "expected int"],
    ["EMBEDDING_DIMENSIONS", "512", "pattern"],
    ["EMBEDDING_DIMENSIONS", "512,256,", "pattern"],
    ["EMBEDDING_DIMENSIONS", "-512,256", "pattern"],
    ["CHAT_PRICES", '{"model-a": {"input": -1}}', ">=0"],
    ["MAX_CONTEXT_TOKENS", "255", ">=256"],
    ["LLM_MAX_ATTEMPTS", "11", "<=10"],
    ["LLM_BACKOFF", "0", ">=1"],
    ["OPENAI_BASE_URL", "not a url", "Invalid URL"],
    ["CHAT_MODEL", "", ">=1 characters"],
    ["CHAT_PRICES", "{", "must be JSON"],
    ["PLANS", '{"free": {"requests_per_minute": 5}}', "expected number"],
    ["LAKE_CONTENT", "false", "expected one of"],
  ])("does not take %s=%s", (name, value, why) => {
    expect(() => loadWith({ [name]: value })).toThrow(name);
    expect(() => loadConfig()).toThrow(why);
  });
});

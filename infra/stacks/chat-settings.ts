import * as z from "zod";
import type { Config } from "../../shared/config.ts";

/** Settings of models, plans and limits: context option, and environment variable of functions. */
const names = {
  openaiBaseUrl: "OPENAI_BASE_URL",
  openaiSecretArn: "OPENAI_SECRET_ARN",
  chatModel: "CHAT_MODEL",
  titleModel: "TITLE_MODEL",
  chatFallbacks: "CHAT_FALLBACKS",
  chatPrices: "CHAT_PRICES",
  systemPrompt: "SYSTEM_PROMPT",
  maxSessionMessages: "MAX_SESSION_MESSAGES",
  maxContextTokens: "MAX_CONTEXT_TOKENS",
  maxOutputTokens: "MAX_OUTPUT_TOKENS",
  plans: "PLANS",
  llmRequestsPerMinute: "LLM_REQUESTS_PER_MINUTE",
  llmTokensPerMinute: "LLM_TOKENS_PER_MINUTE",
} as const satisfies Record<string, keyof Config>;

/** More variables that a user of the local host may set in its environment. */
const localNames = [
  "OPENAI_API_KEY",
  "CHAT_BASE_URL",
  "EMBEDDING_MODEL",
  "MEMORY",
  "LLM_CONNECT_TIMEOUT",
  "LLM_FIRST_TOKEN_TIMEOUT",
  "LLM_TOTAL_TIMEOUT",
  "LLM_MAX_ATTEMPTS",
  "LLM_BACKOFF",
  "LLM_BREAKER_THRESHOLD",
  "LLM_BREAKER_OPEN",
  "LLM_QUEUE_PATIENCE",
] as const satisfies (keyof Config)[];

export const chatVariables: readonly string[] = [...Object.values(names), ...localNames];

const text = z.union([z.string(), z.number()]).transform(String).optional();

/** The context options. `shared/config.ts` validates their values. */
export const chatContext = {
  ...(Object.fromEntries(Object.keys(names).map((name) => [name, text])) as Record<keyof typeof names, typeof text>),
  openaiSecretArn: z
    .string()
    .regex(/^arn:[^:]+:secretsmanager:/, "must be the full ARN of a secret in AWS Secrets Manager")
    .optional(),
};

/** The environment variables of functions that run chat turns. */
export function chatEnvironment(context: { [K in keyof typeof names]?: string | undefined }): Record<string, string> {
  const given = Object.entries(names).map(([name, variable]) => [variable, context[name as keyof typeof names]]);
  return { CHAT_MODEL: "gpt-5-mini", ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

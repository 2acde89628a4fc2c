import * as z from "zod";
import { defaultPlans } from "./limits/plans.ts";
import { retention } from "./retention/policy.ts";

// Every function reads its configuration first. Zod would compile each schema at its first use, which costs a cold start 9 ms,
// and makes parsing requests no faster.
z.config({ jitless: true });

const list = z
  .string()
  .default("")
  .transform((text) => text.split(",").filter(Boolean));

const dimensions = z
  .string()
  .regex(/^\d+,\d+$/)
  .transform((text) => {
    const [a, b] = text.split(",").map(Number);
    return { a: a ?? 0, b: b ?? 0 };
  });

/** JSON in a variable; empty = the default. */
const json = <T extends z.ZodType>(schema: T, otherwise: z.infer<T>) =>
  z
    .string()
    .default("")
    .transform((text, context) => {
      if (text === "") return otherwise;
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue("must be JSON");
        return z.NEVER;
      }
    })
    .pipe(schema);

const milliseconds = (otherwise: number) => z.coerce.number().int().min(1).default(otherwise);
const count = (otherwise: number) => z.coerce.number().int().min(0).default(otherwise);

const plans = z.record(z.string(), z.object({ requests_per_minute: z.int().min(0), tokens_per_day: z.int().min(0) }));
const prices = z.record(
  z.string(),
  z.object({ context: z.int().min(1), input: z.number().min(0), output: z.number().min(0) }).partial(),
);

/**
 * Everything that a function may learn from its environment. The template sets these names and no others
 * (`infra/stacks/`); AWS's own variables are the SDK's business.
 */
const schema = z.object({
  /** Name of the DynamoDB table `conversations`. */
  CONVERSATIONS_TABLE: z.string().default("conversations"),
  /** Name of the DynamoDB table `metrics`. */
  METRICS_TABLE: z.string().default("metrics"),
  /** Name of the S3 bucket that holds `archive/` and `lake/`. */
  ARCHIVE_BUCKET: z.string().default("archive"),
  /** Seconds of idleness after which a session is archived; 0 = never. */
  SESSION_TTL_SECONDS: z.coerce.number().int().min(0).default(retention.session.seconds),
  /** The OpenID Connect issuer whose tokens are accepted. */
  OIDC_ISSUER: z.string().default(""),
  /** What a token's `aud` or `client_id` must be; one of several, when separated by commas. */
  OIDC_AUDIENCE: z.string().default(""),
  /** Origins that browsers may call from; `*` = any. */
  CORS_ORIGINS: list,
  /**
   * The model that makes memories searchable, where the OpenAI API or another server is configured; `lexical` = the built-in
   * embedding, which is also what is used without any.
   */
  EMBEDDING_MODEL: z.string().default("text-embedding-3-small"),
  /** Dimensions of the two vector indexes of memories, separated by a comma: those of the slots a and b. */
  EMBEDDING_DIMENSIONS: dimensions.default({ a: 512, b: 512 }),
  /** Where the OpenAI API is: OpenAI's own, or any server that speaks it. */
  OPENAI_BASE_URL: z.url().default("https://api.openai.com/v1"),
  /** The key of that API, or a JSON object of hosts and keys when fallbacks are elsewhere. */
  OPENAI_API_KEY: z.string().default(""),
  /** ARN of the secret that holds the key where the environment does not. */
  OPENAI_SECRET_ARN: z.string().default(""),
  /** Where chat models are, when that is not where OPENAI_BASE_URL says: the offline model, say. */
  CHAT_BASE_URL: z.string().default(""),
  /** The model of turns that name none. */
  CHAT_MODEL: z.string().min(1).default("gpt-5-mini"),
  /** Models to turn to, in order, separated by commas: `model`, or `model@https://host/v1` of another provider. */
  CHAT_FALLBACKS: list,
  /** Context, in tokens, and prices, in USD for a million tokens, by the beginning of a model's name; JSON. */
  CHAT_PRICES: json(prices, {}),
  /** What the model is told before a conversation whose session's metadata has no `system_prompt`. */
  SYSTEM_PROMPT: z.string().default("You are a helpful assistant."),
  /** Messages of a session that the model sees at most, the new one included. */
  MAX_SESSION_MESSAGES: z.coerce.number().int().min(1).max(500).default(30),
  /** Tokens of a prompt at most: what a turn can cost. */
  MAX_CONTEXT_TOKENS: z.coerce.number().int().min(256).default(32_000),
  /** Tokens of an answer when the request does not say, and at most. */
  MAX_OUTPUT_TOKENS: z.coerce.number().int().min(1).default(4096),
  /** What users may use, by plan; the first one is for tokens that name none. JSON. */
  PLANS: json(plans, defaultPlans),
  /** Milliseconds: until the provider accepts a request, until its first token and between two, and for a whole turn. */
  LLM_CONNECT_TIMEOUT: milliseconds(10_000),
  LLM_FIRST_TOKEN_TIMEOUT: milliseconds(30_000),
  LLM_TOTAL_TIMEOUT: milliseconds(240_000),
  /** Attempts at one provider, and milliseconds before the second one at most. */
  LLM_MAX_ATTEMPTS: z.coerce.number().int().min(1).max(10).default(3),
  LLM_BACKOFF: milliseconds(500),
  /** Outages in a row that open a provider's circuit, and milliseconds for which it stays open. */
  LLM_BREAKER_THRESHOLD: z.coerce.number().int().min(1).default(5),
  LLM_BREAKER_OPEN: milliseconds(15_000),
  /** What a provider takes a minute; 0 = no limit. And milliseconds that a turn waits for its place. */
  LLM_REQUESTS_PER_MINUTE: count(0),
  LLM_TOKENS_PER_MINUTE: count(0),
  LLM_QUEUE_PATIENCE: milliseconds(20_000),
  /** ARN of the secret that holds the key of the users' hashes in the lake. */
  LAKE_KEY_SECRET: z.string().default(""),
  /** Whether the lake's messages hold what was said, or only its length, time, tokens and cost. */
  LAKE_CONTENT: z.stringbool().default(true),
  /** Dollars a month that models may cost before somebody is told. */
  MONTHLY_BUDGET_USD: z.coerce.number().min(0).default(100),
  /** Name of the stage: which one a metric is about. */
  MEMOCHA_STAGE: z.string().default("local"),
  /** Version of the deployed code, shown by /health. */
  MEMOCHA_VERSION: z.string().default("0.0.0"),
});

export type Config = z.infer<typeof schema>;

/** Reads the environment. Throws a ZodError that names the variable when a value does not fit. */
export function loadConfig(): Config {
  // biome-ignore lint/style/noProcessEnv: this is the one file that reads the environment.
  return schema.parse(process.env);
}

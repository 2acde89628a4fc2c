import { en } from "zod/locales";
import * as z from "zod/mini";
import { defaultPlans } from "./limits/plans.ts";
import { retention } from "./retention/policy.ts";

// Every function reads its configuration first, and this costs each cold start: schemas of `zod/mini` are made in a third of the
// time, and compiling one at its first use takes 9 ms and makes parsing requests no faster.
z.config({ ...en(), jitless: true });

const text = (otherwise: string) => z._default(z.string(), otherwise);

/** A whole number. */
const count = (least: number, otherwise: number, most = Number.MAX_SAFE_INTEGER) =>
  z._default(z.coerce.number().check(z.int(), z.minimum(least), z.maximum(most)), otherwise);

const milliseconds = (otherwise: number) => count(1, otherwise);

const list = z.pipe(
  text(""),
  z.transform((entries) => entries.split(",").filter(Boolean)),
);

const dimensions = z.pipe(
  z.string().check(z.regex(/^\d+,\d+$/)),
  z.transform((pair) => {
    const [a, b] = pair.split(",").map(Number);
    return { a: a ?? 0, b: b ?? 0 };
  }),
);

/** JSON in a variable; empty = the default. */
const json = <T extends z.ZodMiniType>(schema: T, otherwise: z.infer<T>) =>
  z.pipe(
    z.pipe(
      text(""),
      z.transform((input, { issues }) => {
        if (input === "") return otherwise;
        try {
          return JSON.parse(input) as unknown;
        } catch {
          issues.push({ code: "custom", message: "must be JSON", input });
          return z.NEVER;
        }
      }),
    ),
    schema,
  );

const atLeast = (least: number) => z.int().check(z.minimum(least));
const price = z.number().check(z.minimum(0));
const plans = z.record(z.string(), z.object({ requests_per_minute: atLeast(0), tokens_per_day: atLeast(0) }));
const prices = z.record(z.string(), z.partial(z.object({ context: atLeast(1), input: price, output: price })));

/**
 * Everything that a function may learn from its environment. The template sets these names and no others
 * (`infra/stacks/`); AWS's own variables are the SDK's business.
 */
const schema = z.object({
  /** Name of the DynamoDB table `conversations`. */
  CONVERSATIONS_TABLE: text("conversations"),
  /** Name of the DynamoDB table `metrics`. */
  METRICS_TABLE: text("metrics"),
  /** Name of the S3 bucket that holds `archive/` and `lake/`. */
  ARCHIVE_BUCKET: text("archive"),
  /** Seconds of idleness after which a session is archived; 0 = never. */
  SESSION_TTL_SECONDS: count(0, retention.session.seconds),
  /** The OpenID Connect issuer whose tokens are accepted. */
  OIDC_ISSUER: text(""),
  /** What a token's `aud` or `client_id` must be; one of several, when separated by commas. */
  OIDC_AUDIENCE: text(""),
  /** Origins that browsers may call from; `*` = any. */
  CORS_ORIGINS: list,
  /**
   * The model that makes memories searchable, where the OpenAI API or another server is configured; `lexical` = the built-in
   * embedding, which is also what is used without any.
   */
  EMBEDDING_MODEL: text("text-embedding-3-small"),
  /** Whether messages become memories, and are recalled. Off where the DynamoDB has no vector indexes. */
  MEMORY: z._default(z.stringbool(), true),
  /** Dimensions of the two vector indexes of memories, separated by a comma: those of the slots a and b. */
  EMBEDDING_DIMENSIONS: z._default(dimensions, { a: 512, b: 512 }),
  /** Where the OpenAI API is: OpenAI's own, or any server that speaks it. */
  OPENAI_BASE_URL: z._default(z.url(), "https://api.openai.com/v1"),
  /** The key of that API, or a JSON object of hosts and keys when fallbacks are elsewhere. */
  OPENAI_API_KEY: text(""),
  /** ARN of the secret that holds the key where the environment does not. */
  OPENAI_SECRET_ARN: text(""),
  /** Where chat models are, when that is not where OPENAI_BASE_URL says: the offline model, say. */
  CHAT_BASE_URL: text(""),
  /** The model of turns that name none. */
  CHAT_MODEL: z._default(z.string().check(z.minLength(1)), "gpt-5-mini"),
  /** Models to turn to, in order, separated by commas: `model`, or `model@https://host/v1` of another provider. */
  CHAT_FALLBACKS: list,
  /** Context, in tokens, and prices, in USD for a million tokens, by the beginning of a model's name; JSON. */
  CHAT_PRICES: json(prices, {}),
  /** What the model is told before a conversation whose session's metadata has no `system_prompt`. */
  SYSTEM_PROMPT: text("You are a helpful assistant."),
  /** Messages of a session that the model sees at most, the new one included. */
  MAX_SESSION_MESSAGES: count(1, 30, 500),
  /** Tokens of a prompt at most: what a turn can cost. */
  MAX_CONTEXT_TOKENS: count(256, 32_000),
  /** Tokens of an answer when the request does not say, and at most. */
  MAX_OUTPUT_TOKENS: count(1, 4096),
  /** What users may use, by plan; the first one is for tokens that name none. JSON. */
  PLANS: json(plans, defaultPlans),
  /** Milliseconds: until the provider accepts a request, until its first token and between two, and for a whole turn. */
  LLM_CONNECT_TIMEOUT: milliseconds(10_000),
  LLM_FIRST_TOKEN_TIMEOUT: milliseconds(30_000),
  LLM_TOTAL_TIMEOUT: milliseconds(240_000),
  /** Attempts at one provider, and milliseconds before the second one at most. */
  LLM_MAX_ATTEMPTS: count(1, 3, 10),
  LLM_BACKOFF: milliseconds(500),
  /** Outages in a row that open a provider's circuit, and milliseconds for which it stays open. */
  LLM_BREAKER_THRESHOLD: count(1, 5),
  LLM_BREAKER_OPEN: milliseconds(15_000),
  /** What a provider takes a minute; 0 = no limit. And milliseconds that a turn waits for its place. */
  LLM_REQUESTS_PER_MINUTE: count(0, 0),
  LLM_TOKENS_PER_MINUTE: count(0, 0),
  LLM_QUEUE_PATIENCE: milliseconds(20_000),
  /** ARN of the secret that holds the key of the users' hashes in the lake. */
  LAKE_KEY_SECRET: text(""),
  /** Whether the lake's messages hold what was said, or only its length, time, tokens and cost. */
  LAKE_CONTENT: z._default(z.stringbool(), true),
  /** Dollars a month that models may cost before somebody is told. */
  MONTHLY_BUDGET_USD: z._default(z.coerce.number().check(z.minimum(0)), 100),
  /** Name of the stage: which one a metric is about. */
  MEMOCHA_STAGE: text("local"),
  /** Version of the deployed code, shown by /health. */
  MEMOCHA_VERSION: text("0.0.0"),
});

export type Config = z.infer<typeof schema>;

/** Reads the environment. Throws a ZodError that names the variable when a value does not fit. */
export function loadConfig(): Config {
  // biome-ignore lint/style/noProcessEnv: this is the one file that reads the environment.
  return schema.parse(process.env);
}

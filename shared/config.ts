import { en } from "zod/locales";
import * as z from "zod/mini";
import { defaultPlans } from "./limits/plans.ts";
import { retention } from "./retention/policy.ts";

// Every cold start creates these schemas. `zod/mini` does it in a third of the time. Without `jitless`, zod compiles a schema at its
// first use, which takes 9 ms and makes the one parse no faster.
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

/** A JSON value; empty = the default. */
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
const prices = z.record(
  z.string(),
  z.partial(z.object({ context: atLeast(1), input: price, cached: price, output: price })),
);

/**
 * The environment of the functions. The template (`infra/stacks/`) sets only these variables; the AWS SDK reads its own.
 */
const schema = z.object({
  /** Name of the DynamoDB table `conversations`. */
  CONVERSATIONS_TABLE: text("conversations"),
  /** Name of the DynamoDB table `metrics`. */
  METRICS_TABLE: text("metrics"),
  /** Name of the DynamoDB table `audit-outbox`: notes of requests. */
  AUDIT_OUTBOX_TABLE: text("audit-outbox"),
  /** Name of the DynamoDB table `audit`. */
  AUDIT_TABLE: text("audit"),
  /** Name of the DynamoDB table `exports`. */
  EXPORTS_TABLE: text("exports"),
  /** Name of the S3 bucket with `archive/`, `lake/` and `files/`. */
  ARCHIVE_BUCKET: text("archive"),
  /** Seconds of idleness after which a session is archived; 0 = never. */
  SESSION_TTL_SECONDS: count(0, retention.session.seconds),
  /** Active sessions that a user may have; beyond them the session that is idle longest is archived. 0 = no limit. */
  MAX_SESSIONS_PER_USER: count(0, 0),
  /** The OpenID Connect issuer of the accepted tokens. */
  OIDC_ISSUER: text(""),
  /** Where clients of `/mcp` may return to after sign-in; `http://localhost` = any port and path of their own machine. */
  MCP_REDIRECT_URLS: list,
  /** The accepted values of a token's `aud` or `client_id`, separated by commas; empty = any. */
  OIDC_AUDIENCE: text(""),
  /** Origins of web pages that may call the API; `*` = any. */
  CORS_ORIGINS: list,
  /** The model that embeds memories. `lexical` = the built-in embedding, which is also used if no server is configured. */
  EMBEDDING_MODEL: text("text-embedding-3-small"),
  /** Whether messages become memories and are recalled. Off if DynamoDB has no vector indexes. */
  MEMORY: z._default(z.stringbool(), true),
  /** Dimensions of the two vector indexes of memories, slots a and b, separated by a comma. */
  EMBEDDING_DIMENSIONS: z._default(dimensions, { a: 512, b: 200 }),
  /** Address of the OpenAI API, or of a server with the same API. */
  OPENAI_BASE_URL: z._default(z.url(), "https://api.openai.com/v1"),
  /** The API key, or a JSON object of hosts and keys if fallbacks have other servers. */
  OPENAI_API_KEY: text(""),
  /** ARN of the secret with the API key, if OPENAI_API_KEY is empty. */
  OPENAI_SECRET_ARN: text(""),
  /** Address of the chat models if it differs from OPENAI_BASE_URL, as for the offline model. */
  CHAT_BASE_URL: text(""),
  /** The model of turns that do not name a model. */
  CHAT_MODEL: z._default(z.string().check(z.minLength(1)), "gpt-5-mini"),
  /** Gives sessions their titles. Empty = the first words of the conversation are the title. */
  TITLE_MODEL: text(""),
  /** Models to try in order when the first fails, separated by commas: `model`, or `model@https://host/v1` of another provider. */
  CHAT_FALLBACKS: list,
  /** Context in tokens and prices in USD per million tokens, by the beginning of a model's name; JSON. */
  CHAT_PRICES: json(prices, {}),
  /** The system prompt of sessions whose metadata has no `system_prompt`. */
  SYSTEM_PROMPT: text("You are a helpful assistant."),
  /** Maximum of messages in a prompt, including the new one. */
  MAX_SESSION_MESSAGES: count(1, 30, 500),
  /** Maximum of tokens in a prompt. */
  MAX_CONTEXT_TOKENS: count(256, 32_000),
  /** Maximum of tokens in an answer, and the default. */
  MAX_OUTPUT_TOKENS: count(1, 4096),
  /** Limits of users by plan; the first plan is for tokens that do not name one. JSON. */
  PLANS: json(plans, defaultPlans),
  /** Milliseconds until the provider accepts a request, until its first token and between two tokens, and for a whole turn. */
  LLM_CONNECT_TIMEOUT: milliseconds(10_000),
  LLM_FIRST_TOKEN_TIMEOUT: milliseconds(30_000),
  LLM_TOTAL_TIMEOUT: milliseconds(240_000),
  /** Attempts at one provider, and the longest wait before the second one in milliseconds. */
  LLM_MAX_ATTEMPTS: count(1, 3, 10),
  LLM_BACKOFF: milliseconds(500),
  /** Consecutive outages that open a provider's circuit, and milliseconds for which it stays open. */
  LLM_BREAKER_THRESHOLD: count(1, 5),
  LLM_BREAKER_OPEN: milliseconds(15_000),
  /** Requests and tokens per minute that a provider accepts, 0 = no limit; milliseconds that a turn waits in the queue. */
  LLM_REQUESTS_PER_MINUTE: count(0, 0),
  LLM_TOKENS_PER_MINUTE: count(0, 0),
  LLM_QUEUE_PATIENCE: milliseconds(20_000),
  /** ARN of the secret with the key of the user hashes in the lake. */
  LAKE_KEY_SECRET: text(""),
  /** Periods of retention that the deployment has chosen, in seconds; JSON. See `retention/periods.ts`. */
  RETENTION: json(z.record(z.string(), atLeast(1)), {}),
  /** ARN of the secret that signs receipts of erasures and hashes their users. */
  PRIVACY_KEY_SECRET: text(""),
  /** The deployment's own Cognito user pool; empty = the tokens have another issuer. */
  USER_POOL_ID: text(""),
  /** Seconds after which every request that is running now has ended. An erasure waits for earlier requests. */
  LONGEST_REQUEST: count(1, 330),
  /** What the lake has of the content of messages. `none` = only its length, time, tokens and cost. */
  LAKE_CONTENT: z._default(z.enum(["full", "redacted", "none"]), "redacted"),
  /** The client of the issuer with which the page signs in. */
  PAGE_CLIENT_ID: text(""),
  /** Origins that the page may call beside its own and the issuer's: the issuer's other hosts, and the store of files. */
  PAGE_ORIGINS: list,
  /** Where S3 is instead of AWS: the local host sets it, and the SDK reads it too. The page uploads files there. */
  AWS_ENDPOINT_URL_S3: text(""),
  /** URL of the queue of events on which a function failed. */
  DEAD_LETTERS_URL: text(""),
  /** Monthly cost of models in USD above which an alarm is raised. */
  MONTHLY_BUDGET_USD: z._default(z.coerce.number().check(z.minimum(0)), 100),
  /** Name of the stage, a dimension of its metrics. */
  MEMOCHA_STAGE: text("local"),
  /** Version of the deployed code, shown by /health. */
  MEMOCHA_VERSION: text("0.0.0"),
});

export type Config = z.infer<typeof schema>;

/** Reads the environment. Throws a ZodError that names each variable with an invalid value. */
export function loadConfig(): Config {
  // biome-ignore lint/style/noProcessEnv: only this file reads the environment.
  return schema.parse(process.env);
}

import * as z from "zod";
import { retention } from "./retention/policy.ts";

const list = z
  .string()
  .default("")
  .transform((text) => text.split(",").filter(Boolean));

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
  /** Version of the deployed code, shown by /health. */
  MEMOCHA_VERSION: z.string().default("0.0.0"),
});

export type Config = z.infer<typeof schema>;

/** Reads the environment. Throws a ZodError that names the variable when a value does not fit. */
export function loadConfig(): Config {
  // biome-ignore lint/style/noProcessEnv: this is the one file that reads the environment.
  return schema.parse(process.env);
}

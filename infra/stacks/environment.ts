import packageJson from "../../package.json" with { type: "json" };
import type { Config } from "../../shared/config.ts";
import { type FunctionSpec, metricsActionsOf, outboxActionsOf, readsLakeKey } from "../function-spec.ts";
import { functions } from "../functions.ts";
import type { Options } from "../stage.ts";
import type { DataStack } from "./data.ts";

/** Returns the environment of a function: the variables of `shared/config.ts` that it needs. */
export function environmentOf(spec: FunctionSpec, options: Options, data: DataStack): Record<string, string> {
  const { table, indexes, archive, files, trigger } = spec;
  const environment: Partial<Record<keyof Config | "NODE_OPTIONS", string>> = {
    NODE_OPTIONS: "--enable-source-maps",
    MEMOCHA_VERSION: packageJson.version,
    MEMOCHA_STAGE: options.stage.name,
    ...(Object.keys(options.periods).length > 0 ? { RETENTION: JSON.stringify(options.periods) } : {}),
    ...((table ?? indexes)
      ? { CONVERSATIONS_TABLE: data.table.tableName, SESSION_TTL_SECONDS: String(options.sessionTtlSeconds) }
      : {}),
    ...(spec.entry === functions["jobs-archive"].entry
      ? { MAX_SESSIONS_PER_USER: String(options.maxSessionsPerUser) }
      : {}),
    ...(spec.entry === functions["jobs-watch"].entry ? { MONTHLY_BUDGET_USD: String(options.monthlyBudgetUsd) } : {}),
    ...(metricsActionsOf(spec).length || spec.metricIndexes ? { METRICS_TABLE: data.metrics.tableName } : {}),
    ...(outboxActionsOf(spec).length ? { AUDIT_OUTBOX_TABLE: data.auditOutbox.tableName } : {}),
    ...(spec.exportTable ? { EXPORTS_TABLE: data.exportTable.tableName } : {}),
    ...(spec.audit ? { AUDIT_TABLE: data.audit.tableName } : {}),
    ...(spec.embeds
      ? {
          EMBEDDING_MODEL: options.embeddingModel,
          EMBEDDING_DIMENSIONS: `${options.embeddingDimensions.a},${options.embeddingDimensions.b}`,
          ...pick(options.chat, ["OPENAI_BASE_URL", "OPENAI_SECRET_ARN", "CHAT_PRICES"]),
        }
      : {}),
    ...(spec.chat === "ask" ? options.chat : {}),
    ...(spec.chat === "providers" ? pick(options.chat, ["OPENAI_BASE_URL", "CHAT_MODEL", "CHAT_FALLBACKS"]) : {}),
    ...(spec.chat === "plans" ? { PLANS: options.chat.PLANS ?? "" } : {}),
    ...(readsLakeKey(spec) ? { LAKE_KEY_SECRET: data.lakeKey.secretArn } : {}),
    ...(readsLakeKey(spec) && spec.lake ? { LAKE_CONTENT: options.lakeContent } : {}),
    ...(spec.privacyKey ? { PRIVACY_KEY_SECRET: data.privacyKey.secretArn } : {}),
    ...(spec.accounts && data.identity ? { USER_POOL_ID: data.identity.pool.userPoolId } : {}),
    ...(spec.entry === functions["jobs-erase"].entry ? { LONGEST_REQUEST: String(longestRequest()) } : {}),
    ...((archive ?? files ?? spec.exports ?? spec.reports ?? spec.lake)
      ? { ARCHIVE_BUCKET: data.buckets.archive.bucketName }
      : {}),
    ...(trigger.kind === "authorizer" || spec.issuer
      ? { OIDC_ISSUER: data.oidc.issuer, OIDC_AUDIENCE: data.oidc.audience }
      : {}),
    ...(trigger.kind === "http" ? { CORS_ORIGINS: options.corsOrigins.join(",") } : {}),
  };
  return environment as Record<string, string>;
}

/** Seconds for the difference between the clocks of functions, and for the way of a request to its function. */
const SKEW = 30;

/** Returns the seconds after which every request that is running now has ended. */
function longestRequest(): number {
  const all: FunctionSpec[] = Object.values(functions);
  return Math.max(...all.filter(({ trigger }) => trigger.kind === "http").map(({ timeout = 29 }) => timeout)) + SKEW;
}

function pick(all: Record<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

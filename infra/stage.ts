import { RemovalPolicy } from "aws-cdk-lib";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Node } from "constructs";
import * as z from "zod";
import { defaultDimensions, type VectorPlace } from "../shared/dynamodb/tables.ts";
import { type LakeContent, lakeContents } from "../shared/lake/lake-content.ts";
import { type Periods, type Policy, parsePeriods, withPeriods } from "../shared/retention/periods.ts";
import { retention } from "../shared/retention/policy.ts";
import { MAX_TTL_SECONDS } from "../shared/session/schema.ts";
import { chatContext, chatEnvironment } from "./stacks/chat-settings.ts";

/** The differences between the stages. */
export interface Stage {
  name: StageName;
  /** Whether tables and buckets are protected, recoverable, and kept when the stack is deleted. */
  durable: boolean;
  removalPolicy: RemovalPolicy;
  logRetention: RetentionDays;
  /** Requests per second, and the size of a burst. */
  throttle: { rate: number; burst: number };
  alarms: AlarmThresholds;
}

interface AlarmThresholds {
  /** Age in seconds of the oldest stream record that the archiver has not processed. The stream keeps records for a day. */
  iteratorAgeSeconds: number;
  /** Share of requests with a 5xx answer, 0 to 1. */
  serverErrorRate: number;
  /** Milliseconds within which 99 % of requests must be answered. */
  p99Latency: number;
  /** Number of sessions that have been overdue for two hours. */
  sessionsOverdue: number;
  /** Consecutive minutes for which a job, or the lake, is late. */
  lateMinutes: number;
}

/** The options of a deployment: `-c name=value` on the command line, or `context` in cdk.json. */
export interface Options {
  stage: Stage;
  /** Seconds without activity after which a session is archived; 0 = never. */
  sessionTtlSeconds: number;
  /** Maximum active sessions per user; 0 = no limit. */
  maxSessionsPerUser: number;
  /** Periods of retention that differ from the policy. */
  periods: Periods;
  /** The policy of retention with these periods. */
  policy: Policy;
  /** An OpenID Connect issuer that replaces the Cognito user pool. */
  oidc: { issuer: string; audience: string } | undefined;
  /** Whether the API serves the page. */
  page: boolean;
  /** Further URLs of the page, such as that of a custom domain. The URL of the API's stage always serves the page. */
  pageUrls: readonly string[];
  /** The page's client at `oidc.issuer`. */
  pageClientId: string;
  /** URLs to which MCP clients return after sign-in. */
  mcpRedirectUrls: readonly string[];
  /** Further origins of `oidc.issuer` that the page calls, such as that of its token endpoint. */
  pageOrigins: readonly string[];
  /** Whether the user pool has a client for chat backends that act for their users. Cognito charges for each such client. */
  backendClient: boolean;
  corsOrigins: readonly string[];
  /** The content of messages in the lake: full, redacted or none. With none, the lake has only length, time, tokens and cost. */
  lakeContent: LakeContent;
  alarmEmail: string | undefined;
  /** Environment variables of functions: models, plans and limits. */
  chat: Record<string, string>;
  /** The cost of models in dollars per month above which there is an alarm. */
  monthlyBudgetUsd: number;
  /** The embedding model of memories. It is used only if a provider of models is configured. */
  embeddingModel: string;
  /** Dimensions of the two vector indexes of memories. To change them, change those of the index that is not in use, then re-embed. */
  embeddingDimensions: { a: number; b: number };
  /** Vector indexes of earlier deployments that this one keeps, because an update of the table can add or remove only one index. */
  retiredVectorIndexes: readonly VectorPlace[];
  /** Whether to create a dashboard. The first three of an account are free, others cost $3 per month. */
  dashboard: boolean;
  /** Whether tables and buckets use a customer-managed key. */
  cmk: boolean;
  /** Whether a web application firewall protects the API. */
  waf: boolean;
}

const stageNames = ["dev", "prod"] as const;
type StageName = (typeof stageNames)[number];

const stages: Record<StageName, Omit<Stage, "name">> = {
  dev: {
    durable: false,
    removalPolicy: RemovalPolicy.DESTROY,
    logRetention: RetentionDays.ONE_WEEK,
    throttle: { rate: 500, burst: 1000 },
    alarms: {
      iteratorAgeSeconds: 3600,
      serverErrorRate: 0.1,
      p99Latency: 10_000,
      sessionsOverdue: 100,
      lateMinutes: 60,
    },
  },
  prod: {
    durable: true,
    removalPolicy: RemovalPolicy.RETAIN,
    logRetention: RetentionDays.THREE_MONTHS,
    throttle: { rate: 1000, burst: 2000 },
    alarms: { iteratorAgeSeconds: 900, serverErrorRate: 0.01, p99Latency: 3000, sessionsOverdue: 1, lateMinutes: 15 },
  },
};

/** DynamoDB's limits: dimensions per vector index, and vector indexes per table. */
const MAX_DIMENSIONS = 4096;
const MAX_VECTOR_INDEXES = 5;

/** The largest limit of sessions per user, because the archiver lists the user's active sessions for each new one. */
const MAX_SESSIONS_PER_USER = 10_000;

const isDimensions = (number: number): boolean => number >= 1 && number <= MAX_DIMENSIONS;

const flag = z.union([z.boolean(), z.enum(["true", "false"])]).transform((value) => value === true || value === "true");

const origin = z
  .string()
  .regex(/^(\*|https?:\/\/[^/\s,]+)$/, "must be * or origins like https://chat.example.com, with no path");

const split = (value: string): string[] => value.split(",").filter(Boolean);

const origins = z.string().default("").transform(split).pipe(z.array(origin));

const schema = z
  .object({
    stage: z.enum(stageNames, { error: ({ input }) => `must be dev or prod (-c stage=dev), not ${input}` }),
    sessionTtlSeconds: z.coerce.number().int().min(0).max(MAX_TTL_SECONDS).optional(),
    maxSessionsPerUser: z.coerce.number().int().min(0).max(MAX_SESSIONS_PER_USER).default(0),
    oidcIssuer: z.url({ protocol: /^https$/ }).optional(),
    oidcAudience: z.string().min(1).optional(),
    backendClient: flag.default(false),
    page: flag.default(true),
    pageUrls: z
      .string()
      .regex(
        /^(https:\/\/[^\s,]+\/(,(?!$)|$))*$/,
        "must be URLs like https://chat.example.com/, each with a slash at its end",
      )
      .transform(split)
      .default([]),
    pageClientId: z.string().min(1).optional(),
    pageOrigins: origins,
    mcpRedirectUrls: z
      .string()
      .regex(/^([a-z][a-z.+-]*:\/\/[^\s,]+(,(?!$)|$))*$/, "must be URLs with commas between them, without spaces")
      .transform(split)
      .default([]),
    corsOrigins: origins.refine(
      (origins) => origins.length === 1 || !origins.includes("*"),
      "must be * alone, or a list of origins without *",
    ),
    throttleRate: z.coerce.number().int().min(1).optional(),
    throttleBurst: z.coerce.number().int().min(1).optional(),
    alarmEmail: z.email().optional(),
    monthlyBudgetUsd: z.coerce.number().min(0).default(100),
    ...chatContext,
    embeddingModel: z.string().min(1).default("text-embedding-3-small"),
    embeddingDimensions: z
      .string()
      .regex(/^\d{1,4},\d{1,4}$/, "must be two numbers like 512,1024: the dimensions of the vector indexes a and b")
      .transform((value) => {
        const [a = 0, b = 0] = value.split(",").map(Number);
        return { a, b };
      })
      .refine(({ a, b }) => [a, b].every(isDimensions), `must be between 1 and ${MAX_DIMENSIONS}`)
      .default(defaultDimensions),
    retiredVectorIndexes: z
      .string()
      .regex(
        /^([ab]:\d{1,4}(,(?!$)|$))*$/,
        "must be vector indexes like b:512, with commas between them: the slot and the dimensions of each",
      )
      .transform((value) =>
        split(value).map(
          (text): VectorPlace => ({ slot: text.startsWith("a") ? "a" : "b", dimensions: Number(text.slice(2)) }),
        ),
      )
      .refine(
        (indexes) => indexes.every(({ dimensions }) => isDimensions(dimensions)),
        `must have dimensions between 1 and ${MAX_DIMENSIONS}`,
      )
      .default([]),
    dashboard: flag.default(true),
    lakeContent: z
      .enum(lakeContents, { error: ({ input }) => `must be full, redacted or none, not ${input}` })
      .default("redacted"),
    cmk: flag.default(false),
    waf: flag.default(false),
  })
  .superRefine((options, { addIssue }) => {
    const names = vectorIndexesOf(options).map(({ slot, dimensions }) => `${slot}:${dimensions}`);
    const path = ["retiredVectorIndexes"];
    for (const name of new Set(names.filter((each, n) => names.indexOf(each) < n))) {
      const message = names.slice(0, 2).includes(name)
        ? `must not name ${name}: embeddingDimensions uses this index, so it is not retired`
        : `must name ${name} once`;
      addIssue({ code: "custom", path, message });
    }
    if (names.length > MAX_VECTOR_INDEXES) {
      const message = `must be fewer: a table has at most ${MAX_VECTOR_INDEXES} vector indexes, and these are ${names.length}: ${names.join(", ")}`;
      addIssue({ code: "custom", path, message });
    }
  })
  .refine(
    ({ oidcIssuer, oidcAudience }) => (oidcIssuer === undefined) === (oidcAudience === undefined),
    "give both oidcIssuer and oidcAudience, or neither to use a Cognito user pool",
  );

/** All vector indexes of memories of a deployment. The retired ones come last. */
export function vectorIndexesOf({
  embeddingDimensions: { a, b },
  retiredVectorIndexes,
}: Pick<Options, "embeddingDimensions" | "retiredVectorIndexes">): VectorPlace[] {
  return [{ slot: "a", dimensions: a }, { slot: "b", dimensions: b }, ...retiredVectorIndexes];
}

/** Reads the options from the context. Throws an Error that names the invalid options. */
export function readOptions(node: Node): Options {
  const names = Object.keys(schema.shape);
  const parsed = schema.safeParse(Object.fromEntries(names.map((name) => [name, node.tryGetContext(name)])));
  if (!parsed.success) throw new Error(`Invalid context options:\n${z.prettifyError(parsed.error)}`);

  const periods = readPeriods(node, parsed.data.sessionTtlSeconds);
  const { stage, oidcIssuer, oidcAudience, pageClientId, throttleRate, throttleBurst, ...rest } = parsed.data;
  const defaults = stages[stage];
  return {
    ...rest,
    periods,
    policy: withPeriods(periods),
    sessionTtlSeconds: rest.sessionTtlSeconds ?? periods.session ?? retention.session.seconds,
    chat: chatEnvironment(rest),
    stage: {
      ...defaults,
      name: stage,
      throttle: { rate: throttleRate ?? defaults.throttle.rate, burst: throttleBurst ?? defaults.throttle.burst },
    },
    oidc: oidcIssuer && oidcAudience ? { issuer: oidcIssuer, audience: oidcAudience } : undefined,
    pageClientId: pageClientId ?? oidcAudience ?? "",
    alarmEmail: rest.alarmEmail,
  };
}

const RETENTION_PREFIX = "retention.";

/** Reads the options like `retention.archive=90d`. */
function readPeriods(node: Node, sessionTtlSeconds: number | undefined): Periods {
  const context: Record<string, unknown> = node.getAllContext();
  const texts = Object.entries(context).flatMap(([name, text]) =>
    name.startsWith(RETENTION_PREFIX) ? [[name.slice(RETENTION_PREFIX.length), text]] : [],
  );
  const periods = parsePeriods(Object.fromEntries(texts));
  if (periods.session !== undefined && sessionTtlSeconds !== undefined) {
    throw new Error(
      "Invalid context options:\nretention.session and sessionTtlSeconds set the same period: give only one of them",
    );
  }
  return periods;
}

import type { OperationId } from "../shared/http/operations.ts";

/**
 * Every function of the system: where its code is, what wakes it, what it may touch. The stacks, the bundler,
 * the permission tests and the cold-start benchmark are all driven by this table.
 */
export interface FunctionSpec {
  /** Source file, from the project's root. */
  entry: string;
  trigger: Trigger;
  /** DynamoDB actions on the table `conversations`, without the `dynamodb:` prefix. */
  table?: readonly TableAction[];
  /** DynamoDB actions on the table `metrics`, beside putting the metrics of requests and of calls to embedding models. */
  metrics?: readonly TableAction[];
  /** DynamoDB indexes that it queries. */
  indexes?: readonly string[];
  /** It searches memories: all vector indexes, because a change-over from one to another happens at any time. */
  searches?: boolean;
  /** It embeds text, by the model that is configured. */
  embeds?: boolean;
  /** It asks models, and reads the secret with their key; or it needs to know the plans of users alone. */
  chat?: "ask" | "plans";
  /** It streams its answer. */
  streams?: boolean;
  /** S3 actions on objects below `archive/`, without the `s3:` prefix; `ListBucket` is on the bucket itself. */
  archive?: readonly ArchiveAction[];
  /** S3 actions on objects below `lake/`. Whoever has any also reads the key of the users' hashes. */
  lake?: readonly ArchiveAction[];
  /** S3 actions on objects below `reports/`. */
  reports?: readonly ("GetObject" | "PutObject" | "ListBucket")[];
  /** Megabytes. CPU grows with it. @default 512 */
  memory?: number;
  /** Seconds. @default 29, the REST API's own limit */
  timeout?: number;
}

export type Trigger =
  | { kind: "http"; operation: OperationId }
  | { kind: "authorizer" }
  | {
      kind: "stream";
      /** Event filter patterns; a record that matches any of them is delivered. */
      filters: readonly object[];
      batchSize: number;
      /** Seconds to wait for a batch to fill. */
      window: number;
      retries: number;
      parallelism: number;
    }
  | { kind: "schedule"; expression: string }
  /** Woken by operators only. */
  | { kind: "invoke" };

export type TableAction =
  | "GetItem"
  | "PutItem"
  | "UpdateItem"
  | "DeleteItem"
  | "Query"
  | "BatchGetItem"
  | "BatchWriteItem"
  | "ConditionCheckItem"
  | "DescribeTable";

export type ArchiveAction = "GetObject" | "PutObject" | "DeleteObject" | "AbortMultipartUpload" | "ListBucket";

/** What a function may do on the table `metrics`. */
export const metricsActionsOf = ({ trigger, embeds, metrics = [] }: FunctionSpec): readonly TableAction[] => [
  ...new Set<TableAction>([
    ...(trigger.kind === "http" || embeds ? (["PutItem"] as const) : []),
    // Calls to an embedding model and searches leave several at a time.
    ...(embeds ? (["BatchWriteItem"] as const) : []),
    ...metrics,
  ]),
];

// Without ListBucket S3 answers 403, not 404, to what is not there.
const archiveRead = ["GetObject", "ListBucket"] as const;
// HEAD takes GetObject, as deletes and overwrites with If-Match do.
const archiveWrite = [...archiveRead, "PutObject", "AbortMultipartUpload", "DeleteObject"] as const;

/** What finishing, restoring or deleting a session touches, whoever sets it off. */
const lifecycle = ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"] as const;
/** What the idempotency middleware of every POST touches. */
const idempotency = ["PutItem", "UpdateItem"] as const;
/** What it takes to run a turn. */
const turn = {
  table: [...lifecycle, "BatchGetItem"],
  archive: archiveWrite,
  searches: true,
  embeds: true,
  chat: "ask",
  streams: true,
  memory: 1024,
  timeout: 300,
} as const;
/** What folding metrics into aggregates touches, and what housekeeping does: nothing is deleted. */
const folding = ["GetItem", "Query", "BatchWriteItem", "UpdateItem"] as const;

export const functions = {
  "auth-authorizer": {
    entry: "functions/auth/authorizer.ts",
    trigger: { kind: "authorizer" },
    memory: 256,
    timeout: 10,
  },
  "system-health": {
    entry: "functions/system/health.ts",
    trigger: { kind: "http", operation: "getHealth" },
    table: ["Query", "PutItem"],
    archive: ["ListBucket"],
  },
  "system-openapi": {
    entry: "functions/system/openapi.ts",
    trigger: { kind: "http", operation: "getOpenapi" },
  },
  "sessions-create": {
    entry: "functions/sessions/create.ts",
    trigger: { kind: "http", operation: "createSession" },
    table: [...idempotency, "GetItem"],
  },
  "sessions-list": {
    entry: "functions/sessions/list.ts",
    trigger: { kind: "http", operation: "listSessions" },
    indexes: ["sessions_by_activity"],
  },
  "sessions-get": {
    entry: "functions/sessions/get.ts",
    trigger: { kind: "http", operation: "getSession" },
    table: ["GetItem", "Query"],
  },
  "sessions-patch": {
    entry: "functions/sessions/patch.ts",
    trigger: { kind: "http", operation: "patchSession" },
    table: lifecycle,
    archive: archiveWrite,
  },
  "sessions-delete": {
    entry: "functions/sessions/delete.ts",
    trigger: { kind: "http", operation: "deleteSession" },
    table: [...lifecycle, "ConditionCheckItem"],
    archive: [...archiveRead, "DeleteObject"],
  },
  "sessions-reset": {
    entry: "functions/sessions/reset.ts",
    trigger: { kind: "http", operation: "resetSession" },
    table: [...lifecycle, "ConditionCheckItem"],
    archive: archiveWrite,
  },
  "sessions-restore": {
    entry: "functions/sessions/restore.ts",
    trigger: { kind: "http", operation: "restoreSession" },
    table: lifecycle,
    archive: archiveWrite,
  },
  "messages-list": {
    entry: "functions/messages/list.ts",
    trigger: { kind: "http", operation: "listMessages" },
    table: ["GetItem", "Query"],
    archive: archiveRead,
    memory: 1024,
  },
  "messages-append": {
    entry: "functions/messages/append.ts",
    trigger: { kind: "http", operation: "appendMessages" },
    table: lifecycle,
    archive: archiveWrite,
  },
  "chat-turn": {
    entry: "functions/chat/chat.ts",
    trigger: { kind: "http", operation: "chat" },
    ...turn,
  },
  "chat-completions": {
    entry: "functions/chat/completions.ts",
    trigger: { kind: "http", operation: "createCompletion" },
    ...turn,
  },
  "chat-stream": {
    entry: "functions/chat/stream.ts",
    trigger: { kind: "http", operation: "resumeChat" },
    table: ["GetItem", "Query", "PutItem"],
    archive: archiveRead,
    streams: true,
    timeout: 300,
  },
  "chat-usage": {
    entry: "functions/chat/usage.ts",
    trigger: { kind: "http", operation: "getUsage" },
    table: ["GetItem"],
    chat: "plans",
  },
  "memories-search": {
    entry: "functions/memories/search.ts",
    trigger: { kind: "http", operation: "searchMemories" },
    table: [...idempotency, "GetItem", "BatchGetItem"],
    indexes: ["memories_by_time"],
    searches: true,
    embeds: true,
    memory: 1024,
  },
  "memories-list": {
    entry: "functions/memories/list.ts",
    trigger: { kind: "http", operation: "listMemories" },
    table: ["GetItem", "BatchGetItem"],
    indexes: ["memories_by_time"],
  },
  "memories-delete": {
    entry: "functions/memories/delete.ts",
    trigger: { kind: "http", operation: "deleteMemory" },
    table: ["GetItem", "BatchGetItem", "PutItem"],
    indexes: ["memories_by_time"],
  },
  "memories-delete-all": {
    entry: "functions/memories/delete-all.ts",
    trigger: { kind: "http", operation: "deleteMemories" },
    table: ["GetItem", "PutItem", "BatchWriteItem"],
    indexes: ["memories_by_time"],
  },
  "admin-cleanup-sessions": {
    entry: "functions/admin/cleanup-sessions.ts",
    trigger: { kind: "http", operation: "cleanupSessions" },
    table: [...idempotency, "BatchGetItem"],
    indexes: ["sessions_due"],
  },
  "jobs-archive": {
    entry: "functions/jobs/archive.ts",
    trigger: {
      kind: "stream",
      filters: [
        {
          eventName: ["REMOVE"],
          userIdentity: {
            type: ["Service"],
            principalId: ["dynamodb.amazonaws.com"],
          },
          dynamodb: { Keys: { sk: { S: ["Z"] } } },
        },
        // What follows every change of an archive object, once it has happened: a stub is written; an anchor says that nothing
        // is left over any more; a session is deleted, and purged.
        { dynamodb: { Keys: { sk: { S: ["Z"] } }, NewImage: { status: { S: ["archived"] } } } },
        {
          dynamodb: {
            Keys: { sk: { S: ["A"] } },
            OldImage: { cleanup: { BOOL: [true] } },
            NewImage: { cleanup: { BOOL: [false] } },
          },
        },
        { dynamodb: { Keys: { sk: { S: ["A"] } }, NewImage: { state: { S: ["deleted"] } } } },
      ],
      batchSize: 100,
      window: 1,
      retries: 10,
      parallelism: 10,
    },
    table: [...lifecycle, "ConditionCheckItem"],
    archive: archiveWrite,
    memory: 1024,
    timeout: 300,
    metrics: ["PutItem", "BatchWriteItem"],
  },
  "jobs-remember": {
    entry: "functions/jobs/remember.ts",
    trigger: {
      kind: "stream",
      filters: [{ eventName: ["INSERT"], dynamodb: { Keys: { sk: { S: [{ prefix: "M#" }] } } } }],
      batchSize: 100,
      window: 1,
      retries: 10,
      parallelism: 4,
    },
    table: ["GetItem", "Query", "PutItem", "BatchGetItem", "ConditionCheckItem"],
    embeds: true,
    memory: 1024,
    timeout: 300,
  },
  "jobs-lake": {
    entry: "functions/jobs/lake.ts",
    trigger: { kind: "schedule", expression: "rate(1 hour)" },
    table: ["Query", "UpdateItem", "DeleteItem"],
    archive: archiveRead,
    lake: archiveWrite,
    memory: 2048,
    timeout: 900,
    metrics: ["UpdateItem"],
  },
  "jobs-reembed": {
    entry: "functions/jobs/reembed.ts",
    trigger: { kind: "invoke" },
    table: ["GetItem", "Query", "PutItem", "UpdateItem", "BatchGetItem", "ConditionCheckItem"],
    indexes: ["sessions_due"],
    archive: archiveRead,
    embeds: true,
    memory: 1024,
    timeout: 900,
  },
  "jobs-reconcile": {
    entry: "functions/jobs/reconcile.ts",
    trigger: { kind: "schedule", expression: "rate(15 minutes)" },
    table: [...lifecycle, "ConditionCheckItem"],
    indexes: ["sessions_due"],
    archive: archiveWrite,
    memory: 1024,
    timeout: 900,
    metrics: ["UpdateItem"],
  },
  "jobs-housekeeping": {
    entry: "functions/jobs/housekeeping.ts",
    trigger: { kind: "schedule", expression: "cron(30 3 ? * SUN *)" },
    table: ["GetItem", "BatchGetItem"],
    archive: ["ListBucket"],
    metrics: folding,
    memory: 1024,
    timeout: 900,
  },
  "events-create": {
    entry: "functions/events/create.ts",
    trigger: { kind: "http", operation: "createEvent" },
    table: [...idempotency, "GetItem"],
    metrics: ["BatchWriteItem"],
  },
  "metrics-get": {
    entry: "functions/metrics/get.ts",
    trigger: { kind: "http", operation: "getMetrics" },
    metrics: ["GetItem", "Query"],
    memory: 1024,
  },
  "reports-get": {
    entry: "functions/reports/get.ts",
    trigger: { kind: "http", operation: "getReport" },
    metrics: ["GetItem", "Query"],
    reports: archiveRead,
    memory: 1024,
  },
  "jobs-report": {
    entry: "functions/jobs/report.ts",
    // Daily, so that a run that fails on the first is made up for on the second.
    trigger: { kind: "schedule", expression: "cron(0 1 * * ? *)" },
    metrics: ["GetItem", "Query", "UpdateItem"],
    reports: [...archiveRead, "PutObject"],
    memory: 1024,
    timeout: 300,
  },
  "jobs-export": {
    entry: "functions/jobs/export.ts",
    trigger: { kind: "schedule", expression: "cron(50 0 * * ? *)" },
    metrics: ["GetItem", "Query", "UpdateItem"],
    lake: [...archiveRead, "PutObject", "AbortMultipartUpload"],
    memory: 1024,
    timeout: 900,
  },
  "jobs-fold-hourly": {
    entry: "functions/jobs/fold-hourly.ts",
    trigger: { kind: "schedule", expression: "cron(5 * * * ? *)" },
    metrics: folding,
    memory: 1024,
    timeout: 900,
  },
  "jobs-fold-daily": {
    entry: "functions/jobs/fold-daily.ts",
    trigger: { kind: "schedule", expression: "cron(20 0 * * ? *)" },
    metrics: folding,
    memory: 1024,
    timeout: 900,
  },
  // Daily, so that a run that fails on the first is made up for on the second.
  "jobs-fold-monthly": {
    entry: "functions/jobs/fold-monthly.ts",
    trigger: { kind: "schedule", expression: "cron(35 0 * * ? *)" },
    metrics: folding,
    memory: 1024,
    timeout: 900,
  },
  "jobs-watch": {
    entry: "functions/jobs/watch.ts",
    trigger: { kind: "schedule", expression: "rate(5 minutes)" },
    table: ["Query"],
    indexes: ["sessions_due"],
    metrics: ["GetItem", "Query", "UpdateItem"],
    timeout: 60,
  },
} as const satisfies Record<string, FunctionSpec>;

export type FunctionName = keyof typeof functions;

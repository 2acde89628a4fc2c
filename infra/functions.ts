import type { OperationId } from "../shared/http/operations.ts";

/**
 * Every function of the system: its source file, its trigger and its permissions. The stacks, the bundler, the permission tests and the
 * cold-start benchmark read this table.
 */
export interface FunctionSpec {
  /** The source file, relative to the project's root. */
  entry: string;
  trigger: Trigger;
  /** DynamoDB actions on the table `conversations`, without the `dynamodb:` prefix. */
  table?: readonly TableAction[];
  /** DynamoDB actions on the table `metrics`, beside those that `metricsActionsOf` adds. */
  metrics?: readonly TableAction[];
  /** DynamoDB indexes that the function queries. */
  indexes?: readonly string[];
  /** Whether the function searches memories. It may use all vector indexes, because re-embedding switches them at any time. */
  searches?: boolean;
  /** Whether the function calls the embedding model. */
  embeds?: boolean;
  /** `ask`: the function calls chat models, and reads the secret with their key. `plans`: it only reads the plans of users. */
  chat?: "ask" | "plans";
  /** Whether the function streams its answer. */
  streams?: boolean;
  /** S3 actions on objects below `archive/`, without the `s3:` prefix; `ListBucket` is on the bucket itself. */
  archive?: readonly ArchiveAction[];
  /** S3 actions on objects below `lake/`. A function with any of them also reads the key of the users' hashes. */
  lake?: readonly ArchiveAction[];
  /** S3 actions on objects below `reports/`. */
  reports?: readonly ("GetObject" | "PutObject" | "ListBucket")[];
  /** Megabytes. Lambda gives CPU in proportion. @default 512 */
  memory?: number;
  /** Seconds. @default 29, the REST API's own limit */
  timeout?: number;
}

export type Trigger =
  | { kind: "http"; operation: OperationId }
  | { kind: "authorizer" }
  | {
      kind: "stream";
      /** Event filter patterns. Lambda delivers a record that matches any of them. */
      filters: readonly object[];
      batchSize: number;
      /** Seconds to wait for a full batch. */
      window: number;
      retries: number;
      parallelism: number;
    }
  | { kind: "schedule"; expression: string }
  /** Invoked by operators only. */
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

/** DynamoDB actions on the table `metrics`: functions write metrics of requests and of calls to the embedding model. */
export function metricsActionsOf({ trigger, embeds, metrics = [] }: FunctionSpec): readonly TableAction[] {
  const actions = new Set<TableAction>();
  if (trigger.kind === "http" || embeds) actions.add("PutItem");
  // Calls to the embedding model, and searches, write several metrics at a time.
  if (embeds) actions.add("BatchWriteItem");
  return [...actions.union(new Set(metrics))];
}

// Without ListBucket, S3 answers 403 instead of 404 when an object does not exist.
const archiveRead = ["GetObject", "ListBucket"] as const;
// S3 needs GetObject for HEAD, and for deletes and overwrites with If-Match.
const archiveWrite = [...archiveRead, "PutObject", "AbortMultipartUpload", "DeleteObject"] as const;

/** Actions to archive, restore or delete a session. */
const lifecycle = ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"] as const;
/** Actions of the idempotency middleware, which every POST has. */
const idempotency = ["PutItem", "UpdateItem"] as const;
/** What a function needs to run a chat turn. */
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
/** Actions to fold metrics into aggregates. Nothing is deleted. */
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
        // The records that follow a change of an archive object: a stub is written, an anchor's cleanup is done, or a session is
        // deleted.
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
    // Daily, so that the run of the second day repeats a failed run of the first.
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
  // Daily, so that the run of the second day repeats a failed run of the first.
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

import { http, on, onStream, scheduled } from "./function-spec.ts";
import {
  archiveRead,
  archiveWrite,
  checkpointed,
  creation,
  eraseObjects,
  fileUse,
  folding,
  following,
  guarded,
  idempotency,
  purge,
  sessionChange,
  turn,
} from "./grant-sets.ts";
import { archiveRecords, exportRecords, rememberRecords } from "./stream-filters.ts";

/**
 * Every function of the system. The stacks, the bundler, the permission tests and the cold-start benchmark read this table.
 */
export const functions = {
  "auth-authorizer": on("functions/auth/authorizer.ts", { kind: "authorizer" }, { memory: 256, timeout: 10 }),
  "system-health": http("functions/system/health.ts", "getHealth", {
    table: ["Query", "PutItem"],
    archive: ["ListBucket"],
  }),
  "system-state": http("functions/system/state.ts", "getState", {
    table: ["Query"],
    indexes: ["sessions_due"],
    metrics: ["Query", "UpdateItem"],
    chat: "providers",
    deadLetters: "look",
  }),
  "system-openapi": http("functions/system/openapi.ts", "getOpenapi"),

  "page-get": http("functions/page/get.ts", "getPage", { page: true, streams: true, memory: 256 }),
  "page-asset": http("functions/page/asset.ts", "getAsset", { page: true, streams: true, memory: 256 }),
  "sessions-create": http("functions/sessions/create.ts", "createSession", { table: creation }),
  "sessions-list": http("functions/sessions/list.ts", "listSessions", { indexes: ["sessions_by_activity"] }),
  "sessions-get": http("functions/sessions/get.ts", "getSession", { table: ["GetItem", "Query"] }),
  "sessions-patch": http("functions/sessions/patch.ts", "patchSession", sessionChange),
  "sessions-delete": http("functions/sessions/delete.ts", "deleteSession", {
    table: guarded,
    archive: [...archiveRead, "DeleteObject"],
    files: purge,
  }),
  "sessions-reset": http("functions/sessions/reset.ts", "resetSession", { ...sessionChange, table: guarded }),
  "sessions-restore": http("functions/sessions/restore.ts", "restoreSession", sessionChange),
  "messages-list": http("functions/messages/list.ts", "listMessages", {
    table: ["GetItem", "Query"],
    archive: archiveRead,
    memory: 1024,
  }),
  "messages-append": http("functions/messages/append.ts", "appendMessages", { ...sessionChange, files: fileUse }),
  "messages-delete": http("functions/messages/delete.ts", "deleteMessage", sessionChange),

  "chat-turn": http("functions/chat/chat.ts", "chat", turn),
  "chat-completions": http("functions/chat/completions.ts", "createCompletion", turn),
  "chat-stream": http("functions/chat/stream.ts", "resumeChat", following),
  "chat-follow": http("functions/chat/follow.ts", "followChat", following),
  "chat-stop": http("functions/chat/stop.ts", "stopChat", { table: [...idempotency, "GetItem"] }),
  "chat-models": http("functions/chat/models.ts", "listModels", { chat: "ask" }),
  "chat-ui-send": http("functions/chat/send-ui.ts", "sendUiChat", turn),
  "chat-ui-read": http("functions/chat/read-ui.ts", "readUiChat", {
    table: ["GetItem", "Query", "BatchGetItem"],
    archive: archiveRead,
    files: ["GetObject"],
    memory: 1024,
  }),
  "chat-ui-follow": http("functions/chat/follow-ui.ts", "followUiChat", following),
  "chat-usage": http("functions/chat/usage.ts", "getUsage", { table: ["GetItem"], chat: "plans" }),

  "memories-search": http("functions/memories/search.ts", "searchMemories", {
    table: [...idempotency, "GetItem", "BatchGetItem"],
    indexes: ["memories_by_time"],
    searches: true,
    embeds: true,
    memory: 1024,
  }),
  "memories-list": http("functions/memories/list.ts", "listMemories", {
    table: ["GetItem", "BatchGetItem"],
    indexes: ["memories_by_time"],
  }),
  "memories-delete": http("functions/memories/delete.ts", "deleteMemory", {
    table: ["GetItem", "BatchGetItem", "PutItem"],
    indexes: ["memories_by_time"],
  }),
  "memories-delete-all": http("functions/memories/delete-all.ts", "deleteMemories", {
    table: ["GetItem", "PutItem", "BatchWriteItem"],
    indexes: ["memories_by_time"],
  }),

  "files-create": http("functions/files/create.ts", "createFile", {
    table: [...idempotency, "GetItem", "BatchGetItem"],
    files: ["PutObject"],
  }),
  "files-list": http("functions/files/list.ts", "listFiles", {
    table: ["GetItem", "Query", "UpdateItem"],
    files: archiveRead,
  }),
  "files-get": http("functions/files/get.ts", "getFile", {
    table: ["GetItem", "BatchGetItem", "UpdateItem"],
    files: archiveRead,
  }),
  "files-delete": http("functions/files/delete.ts", "deleteFile", {
    table: ["GetItem", "BatchGetItem", "UpdateItem"],
    files: ["DeleteObject"],
  }),
  "mcp-call": http("functions/mcp/call.ts", "callMcp", {
    table: guarded,
    indexes: ["sessions_by_activity", "memories_by_time"],
    archive: archiveWrite,
    files: fileUse,
    searches: true,
    embeds: true,
    memory: 1024,
  }),
  "mcp-protected-resource": http("functions/mcp/protected-resource.ts", "getProtectedResource", { issuer: true }),
  "mcp-authorization-server": http("functions/mcp/authorization-server.ts", "getAuthorizationServer", { issuer: true }),
  "mcp-register": http("functions/mcp/register.ts", "registerClient", { issuer: true }),

  "admin-cleanup-sessions": http("functions/admin/cleanup-sessions.ts", "cleanupSessions", {
    table: [...idempotency, "BatchGetItem"],
    indexes: ["sessions_due"],
  }),
  "exports-create": http("functions/exports/create.ts", "createExport", {
    table: [...idempotency, "GetItem"],
    exportTable: ["GetItem", "PutItem"],
  }),
  "exports-get": http("functions/exports/get.ts", "getExport", {
    exportTable: ["GetItem"],
    exports: ["GetObject"],
  }),
  "settings-get": http("functions/settings/get.ts", "getSettings", { table: ["GetItem"] }),
  "settings-patch": http("functions/settings/patch.ts", "patchSettings", { table: ["GetItem", "UpdateItem"] }),
  "audit-list": http("functions/audit/list.ts", "listAudit", { audit: ["Query"], hashesUsers: true }),
  "events-create": http("functions/events/create.ts", "createEvent", {
    table: [...idempotency, "GetItem"],
    metrics: ["BatchWriteItem"],
  }),
  "metrics-get": http("functions/metrics/get.ts", "getMetrics", { metrics: ["GetItem", "Query"], memory: 1024 }),
  "reports-get": http("functions/reports/get.ts", "getReport", {
    metrics: ["GetItem", "Query"],
    reports: archiveRead,
    memory: 1024,
  }),

  "erasures-create": http("functions/erasures/create.ts", "createErasure", {
    table: [...idempotency, "GetItem"],
    privacyKey: true,
  }),
  "erasures-get": http("functions/erasures/get.ts", "getErasure", { table: ["GetItem"], privacyKey: true }),

  "jobs-archive": onStream("functions/jobs/archive.ts", archiveRecords, 10, {
    table: guarded,
    indexes: ["sessions_by_activity"],
    archive: archiveWrite,
    files: purge,
    metrics: ["PutItem", "BatchWriteItem"],
  }),
  "jobs-remember": onStream("functions/jobs/remember.ts", rememberRecords, 4, {
    table: ["GetItem", "Query", "PutItem", "DeleteItem", "BatchGetItem", "ConditionCheckItem"],
    archive: archiveRead,
    embeds: true,
  }),
  // The only function that writes audit records.
  "jobs-audit": on(
    "functions/jobs/audit.ts",
    {
      kind: "stream",
      table: "auditOutbox",
      filters: [{ eventName: ["INSERT"] }],
      batchSize: 100,
      window: 1,
      retries: 10,
      parallelism: 1,
    },
    { audit: ["PutItem"], outbox: ["Query", "BatchWriteItem"], hashesUsers: true, timeout: 60 },
  ),
  // One export at a time, each as long as a function may run.
  "jobs-build-export": on(
    "functions/jobs/build-export.ts",
    {
      kind: "stream",
      table: "exportTable",
      filters: exportRecords,
      batchSize: 1,
      window: 0,
      retries: 4,
      parallelism: 10,
    },
    {
      table: ["GetItem", "BatchGetItem", "Query", "UpdateItem"],
      exportTable: ["GetItem", "UpdateItem"],
      indexes: ["sessions_by_activity", "sessions_due", "memories_by_time"],
      metricIndexes: ["events_by_user"],
      archive: archiveRead,
      files: archiveRead,
      exports: archiveWrite,
      memory: 1024,
      timeout: 900,
    },
  ),
  "jobs-lake": scheduled("functions/jobs/lake.ts", "rate(1 hour)", {
    table: ["Query", "UpdateItem", "DeleteItem"],
    archive: archiveRead,
    lake: archiveWrite,
    metrics: ["UpdateItem"],
    memory: 2048,
    timeout: 900,
  }),
  "jobs-reembed": on(
    "functions/jobs/reembed.ts",
    { kind: "invoke" },
    {
      table: ["GetItem", "Query", "PutItem", "UpdateItem", "BatchGetItem", "ConditionCheckItem"],
      indexes: ["sessions_due"],
      archive: archiveRead,
      embeds: true,
      memory: 1024,
      timeout: 900,
    },
  ),
  "jobs-reconcile": scheduled("functions/jobs/reconcile.ts", "rate(15 minutes)", {
    table: guarded,
    indexes: ["sessions_due"],
    archive: archiveWrite,
    files: purge,
    metrics: ["UpdateItem"],
    memory: 1024,
    timeout: 900,
  }),
  "jobs-erase": scheduled("functions/jobs/erase.ts", "rate(1 minute)", {
    table: guarded,
    indexes: ["sessions_by_activity", "sessions_due", "memories_by_time"],
    metrics: ["BatchWriteItem", "UpdateItem"],
    metricIndexes: ["events_by_user"],
    exportTable: ["Query", "BatchWriteItem"],
    archive: eraseObjects,
    files: eraseObjects,
    exports: eraseObjects,
    lake: [...archiveWrite, "GetObjectVersion", "DeleteObjectVersion", "ListBucketVersions"],
    privacyKey: true,
    deadLetters: "erase",
    accounts: true,
    // The traces of its runs, nearly all of which find nothing to do, would be a fifth of the bill of an idle deployment.
    traced: false,
    memory: 1024,
    timeout: 900,
  }),
  "jobs-housekeeping": scheduled("functions/jobs/housekeeping.ts", "cron(30 3 ? * SUN *)", {
    ...folding,
    table: ["GetItem", "BatchGetItem"],
    archive: ["ListBucket"],
  }),
  "jobs-measure": scheduled("functions/jobs/measure.ts", "cron(15 0 * * ? *)", {
    table: ["DescribeTable"],
    scans: ["sessions_by_activity"],
    metrics: ["DescribeTable", "BatchWriteItem", "UpdateItem"],
    exportTable: ["DescribeTable"],
    archive: ["ListBucket"],
    exports: ["ListBucket"],
    files: ["ListBucket"],
    lake: ["ListBucket"],
    reports: ["ListBucket"],
    timeout: 900,
  }),
  // Jobs of a month run daily, so that the run of the second day repeats a failed run of the first.
  "jobs-report": scheduled("functions/jobs/report.ts", "cron(0 1 * * ? *)", {
    metrics: checkpointed,
    reports: [...archiveRead, "PutObject"],
    memory: 1024,
    timeout: 300,
  }),
  "jobs-export": scheduled("functions/jobs/export.ts", "cron(50 0 * * ? *)", {
    table: ["Query"],
    metrics: checkpointed,
    audit: ["Query"],
    lake: [...archiveRead, "PutObject", "AbortMultipartUpload"],
    memory: 1024,
    timeout: 900,
  }),
  "jobs-fold-hourly": scheduled("functions/jobs/fold.ts", "cron(5 * * * ? *)", { ...folding, handler: "hourly" }),
  "jobs-fold-daily": scheduled("functions/jobs/fold.ts", "cron(20 0 * * ? *)", { ...folding, handler: "daily" }),
  // Daily, like jobs-report.
  "jobs-fold-monthly": scheduled("functions/jobs/fold.ts", "cron(35 0 * * ? *)", { ...folding, handler: "monthly" }),
  "jobs-watch": scheduled("functions/jobs/watch.ts", "rate(5 minutes)", {
    table: ["Query"],
    indexes: ["sessions_due"],
    metrics: checkpointed,
    timeout: 60,
  }),
};

export type FunctionName = keyof typeof functions;

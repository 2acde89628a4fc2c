import { auditOperations } from "./operations/audit-operations.ts";
import { chatOperations } from "./operations/chat-operations.ts";
import { erasureOperations } from "./operations/erasure-operations.ts";
import { eventOperations } from "./operations/event-operations.ts";
import { exportOperations } from "./operations/export-operations.ts";
import { fileOperations } from "./operations/file-operations.ts";
import { mcpOperations } from "./operations/mcp-operations.ts";
import { memoryOperations } from "./operations/memory-operations.ts";
import { messageOperations } from "./operations/message-operations.ts";
import { metricOperations } from "./operations/metric-operations.ts";
import { reportOperations } from "./operations/report-operations.ts";
import { sessionOperations } from "./operations/session-operations.ts";
import { settingsOperations } from "./operations/settings-operations.ts";
import { systemOperations } from "./operations/system-operations.ts";
import { webOperations } from "./operations/web-operations.ts";

export type { Access, Operation } from "./operations/operation.ts";

/**
 * Every operation of the HTTP API. The gateway routes them, the handlers validate them and OpenAPI documents them. A handler
 * imports only the operations of its area, because creating all schemas takes a tenth of a cold start.
 */
export const operations = {
  ...systemOperations,
  ...sessionOperations,
  ...messageOperations,
  ...chatOperations,
  ...metricOperations,
  ...eventOperations,
  ...reportOperations,
  ...memoryOperations,
  ...settingsOperations,
  ...exportOperations,
  ...auditOperations,
  ...fileOperations,
  ...webOperations,
  ...mcpOperations,
  ...erasureOperations,
} as const;

export type OperationId = keyof typeof operations;

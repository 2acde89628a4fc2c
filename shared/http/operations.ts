import { chatOperations } from "./operations/chat.ts";
import { eventsOperations } from "./operations/events.ts";
import { fileOperations } from "./operations/files.ts";
import { mcpOperations } from "./operations/mcp.ts";
import { memoryOperations } from "./operations/memories.ts";
import { messageOperations } from "./operations/messages.ts";
import { metricsOperations } from "./operations/metrics.ts";
import { reportsOperations } from "./operations/reports.ts";
import { sessionOperations } from "./operations/sessions.ts";
import { systemOperations } from "./operations/system.ts";
import { webOperations } from "./operations/web.ts";

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
  ...metricsOperations,
  ...eventsOperations,
  ...reportsOperations,
  ...memoryOperations,
  ...fileOperations,
  ...webOperations,
  ...mcpOperations,
} as const;

export type OperationId = keyof typeof operations;

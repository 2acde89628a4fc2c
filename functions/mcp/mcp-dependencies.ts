import type { FileDependencies } from "../../shared/files/manage-files.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import type { HttpRequest } from "../../shared/http/http-request.ts";
import type { mcpOperations } from "../../shared/http/operations/mcp-operations.ts";
import type { Recall } from "../../shared/memory/memory.ts";
import type { Stores } from "../../shared/session/store.ts";

export interface McpDependencies extends HttpDependencies, Stores {
  recall: Recall;
  uploads: FileDependencies;
  /** Forgets one memory of a user. Throws `not_found`. */
  forget(user: string, memory: string): Promise<void>;
  /** Seconds of idleness after which a session that a tool has created expires. */
  defaultTtlSeconds: number;
  /** Memocha's own version. */
  version: string;
}

/** The user for whom the tools work, and the identity of the request. */
export type Caller = Pick<
  HttpRequest<typeof mcpOperations.callMcp>,
  "user" | "person" | "identity" | "observe" | "audit"
>;

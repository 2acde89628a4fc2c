import { McpServer } from "@modelcontextprotocol/server";
import type { Caller, McpDependencies } from "./mcp-dependencies.ts";
import { registerResources } from "./resources.ts";
import { registerTools } from "./tools.ts";

const INSTRUCTIONS =
  "Memocha keeps the user's conversations. Search its memories before you answer questions about the user or about earlier conversations, and remember lasting facts that the user tells you.";

/** Creates the server for one request. It has no state. */
export function createMcpServer(deps: McpDependencies, caller: Caller): McpServer {
  const server = new McpServer(
    { name: "memocha", title: "Memocha", version: deps.version },
    { instructions: INSTRUCTIONS, capabilities: { tools: {}, resources: {} } },
  );
  registerTools(server, deps, caller);
  registerResources(server, deps, caller);
  return server;
}

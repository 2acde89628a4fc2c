import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { createHttpHandler, type RepeatedRequest } from "../../shared/http/http-handler.ts";
import { mcpOperations } from "../../shared/http/operations/mcp-operations.ts";
import { forgetMemory } from "../../shared/memory/forget.ts";
import { createSearch, recallNothing } from "../../shared/memory/recall.ts";
import { lazyHandler, openFiles, openIdempotentHttp, openStores, openTable } from "../compose.ts";
import { createLazyOpenAIEmbedder, openMemories } from "../compose-chat.ts";
import type { Caller, McpDependencies } from "./mcp-dependencies.ts";
import { registerResources } from "./resources.ts";
import { registerTools } from "./tools.ts";

const INSTRUCTIONS =
  "Memocha keeps the user's conversations. Search its memories before you answer questions about the user or about earlier conversations, and remember lasting facts that the user tells you.";

/** Headers that the protocol's handler reads. */
const PROTOCOL_HEADERS = ["mcp-protocol-version", "mcp-method", "mcp-name"];

/** The answer to a batch. The served revisions have no batches, and a batch would count as one request. */
const NO_BATCH = {
  jsonrpc: "2.0",
  error: {
    code: -32_600,
    message: "Invalid Request: a batch is not supported. Send each message in a separate request.",
  },
  id: null,
};

/** POST /mcp */
export function createCallMcp(deps: McpDependencies) {
  return createHttpHandler(
    mcpOperations.callMcp,
    deps,
    async (request) => ({ ...(await answer(deps, request, request)), keep: () => request.identity }),
    // A repeat runs the tools again with the identity of the first request, so that they find what that request has stored.
    async (request, identity: Caller["identity"]) =>
      (await answer(deps, request, { ...request, identity, observe: () => {} })).body,
  );
}

async function answer(
  deps: McpDependencies,
  { body, baseUrl, header }: RepeatedRequest<typeof mcpOperations.callMcp>,
  caller: Caller,
): Promise<{ status: number; body: unknown }> {
  if (Array.isArray(body)) return { status: 400, body: NO_BATCH };
  const { fetch } = createMcpHandler(() => createMcpServer(deps, caller), {
    responseMode: "json",
    // A subscription needs a stream that never ends.
    maxSubscriptions: 0,
  });
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  for (const name of PROTOCOL_HEADERS) {
    const value = header(name);
    if (value !== undefined) headers.set(name, value);
  }
  const response = await fetch(new Request(`${baseUrl}/mcp`, { method: "POST", headers }), { parsedBody: body });
  return { status: response.status, body: messageIn(await response.text()) };
}

/** Creates the server for one request. It has no state. */
function createMcpServer(deps: McpDependencies, caller: Caller): McpServer {
  const server = new McpServer(
    { name: "memocha", title: "Memocha", version: deps.version },
    { instructions: INSTRUCTIONS, capabilities: { tools: {}, resources: {} } },
  );
  registerTools(server, deps, caller);
  registerResources(server, deps, caller);
  return server;
}

/** Returns the JSON-RPC message in an answer of the library, which is JSON or a stream of one event. */
function messageIn(text: string): unknown {
  const json = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return json === "" ? undefined : JSON.parse(json);
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  const memories = openMemories(config, table, createLazyOpenAIEmbedder);
  return createCallMcp({
    ...openIdempotentHttp(config),
    ...openStores(config, table),
    uploads: openFiles(config, table),
    recall: config.MEMORY ? createSearch(memories) : recallNothing,
    forget: (user, memory) => forgetMemory(memories.memories, user, memory),
    defaultTtlSeconds: config.SESSION_TTL_SECONDS,
    version: config.MEMOCHA_VERSION,
  });
});

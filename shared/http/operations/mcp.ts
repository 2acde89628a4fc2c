import * as z from "zod";
import type { Operation } from "./operation.ts";

const rpcAnswer = z
  .looseObject({ jsonrpc: z.literal("2.0") })
  .meta({ id: "JsonRpcAnswer", description: "A JSON-RPC 2.0 answer, as the Model Context Protocol defines it." });

const metadataSchema = z
  .object({
    resource: z.url(),
    resource_name: z.string(),
    authorization_servers: z.array(z.url()),
    bearer_methods_supported: z.array(z.literal("header")),
    scopes_supported: z.array(z.string()),
  })
  .meta({ id: "ProtectedResource", description: "RFC 9728: where clients of `/mcp` get their tokens." });

export const mcpOperations = {
  callMcp: {
    method: "POST",
    path: "/mcp",
    access: "user",
    checksToken: true,
    summary: "Model Context Protocol (2026-07-28 and 2025-06-18): streamable HTTP, stateless",
    body: z.unknown().meta({ description: "A JSON-RPC 2.0 request or notification." }),
    requestHeaders: {
      "MCP-Protocol-Version": z.string().optional().meta({ description: "The revision of the protocol." }),
    },
    answers: { 200: rpcAnswer, 202: null, 400: rpcAnswer, 404: rpcAnswer },
  },
  getProtectedResource: {
    method: "GET",
    path: "/.well-known/oauth-protected-resource",
    access: "public",
    summary: "Where clients of `/mcp` get their tokens (RFC 9728)",
    answers: { 200: metadataSchema },
  },
} as const satisfies Record<string, Operation>;

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
  .meta({ id: "ProtectedResource", description: "The places where clients of `/mcp` get their tokens (RFC 9728)." });

const serverMetadataSchema = z
  .object({
    issuer: z.url(),
    authorization_endpoint: z.url(),
    token_endpoint: z.url(),
    registration_endpoint: z.url(),
    response_types_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    code_challenge_methods_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    scopes_supported: z.array(z.string()),
  })
  .meta({
    id: "AuthorizationServer",
    description: "The endpoints of the issuer, and the registration of this deployment (RFC 8414).",
  });

const registrationSchema = z
  .looseObject({
    redirect_uris: z.array(z.string().max(2048)).min(1).max(10),
    client_name: z.string().max(200).optional(),
  })
  .meta({ id: "ClientRegistration", description: "RFC 7591. Only `redirect_uris` and `client_name` have an effect." });

const registeredSchema = z
  .object({
    client_id: z.string(),
    client_name: z.string().optional(),
    redirect_uris: z.array(z.string()),
    token_endpoint_auth_method: z.literal("none"),
    grant_types: z.array(z.string()),
    response_types: z.array(z.string()),
  })
  .meta({ id: "RegisteredClient" });

const registrationErrorSchema = z
  .object({ error: z.literal("invalid_redirect_uri"), error_description: z.string() })
  .meta({ id: "RegistrationError", description: "RFC 7591, section 3.2.2." });

export const mcpOperations = {
  callMcp: {
    method: "POST",
    path: "/mcp",
    access: "user",
    summary: "Call the Model Context Protocol (2026-07-28 and 2025-06-18): streamable HTTP, stateless",
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
    summary: "Find where clients of `/mcp` get their tokens (RFC 9728)",
    answers: { 200: metadataSchema },
  },
  getAuthorizationServer: {
    method: "GET",
    path: "/.well-known/oauth-authorization-server",
    access: "public",
    summary: "Find where clients of `/mcp` sign in and register (RFC 8414)",
    answers: { 200: serverMetadataSchema },
  },
  registerClient: {
    method: "POST",
    path: "/oauth/register",
    access: "public",
    summary: "Give a client of `/mcp` the deployment's public client id (RFC 7591)",
    body: registrationSchema,
    answers: { 201: registeredSchema, 400: registrationErrorSchema },
  },
} as const satisfies Record<string, Operation>;

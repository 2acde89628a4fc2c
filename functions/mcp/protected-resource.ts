import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { mcpOperations } from "../../shared/http/operations/mcp-operations.ts";
import { lazyHandler, openHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  /** The issuer of the tokens. */
  issuer: string;
  /** The URLs to which clients may return after sign-in. Empty = clients cannot register here. */
  redirectUrls: readonly string[];
}

/** GET /.well-known/oauth-protected-resource */
export function createGetProtectedResource(deps: Dependencies) {
  return createHttpHandler(mcpOperations.getProtectedResource, deps, async ({ baseUrl }) => ({
    status: 200,
    body: {
      resource: `${baseUrl}/mcp`,
      resource_name: "Memocha",
      authorization_servers: [deps.redirectUrls.length > 0 ? baseUrl : deps.issuer],
      bearer_methods_supported: ["header"],
      scopes_supported: ["openid"],
    },
  }));
}

export const handler = lazyHandler((config) =>
  createGetProtectedResource({
    ...openHttp(config),
    issuer: config.OIDC_ISSUER,
    redirectUrls: config.MCP_REDIRECT_URLS,
  }),
);

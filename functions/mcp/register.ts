import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { mcpOperations } from "../../shared/http/operations/mcp-operations.ts";
import { lazyHandler, openHttp } from "../compose.ts";

/** Allows any port and path of the client's own machine (RFC 8252, section 7.3). */
const ANY_LOOPBACK = "http://localhost";
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

interface Dependencies extends HttpDependencies {
  /** The deployment's public client. */
  clientId: string;
  redirectUrls: readonly string[];
}

/** POST /oauth/register. Stores nothing: every client whose redirect URLs the issuer allows gets the same id. */
export const createRegisterClient = (deps: Dependencies) =>
  createHttpHandler(mcpOperations.registerClient, deps, async ({ body: { client_name, redirect_uris } }) => {
    const refused = redirect_uris.find((url) => !isAllowed(url, deps.redirectUrls));
    if (refused !== undefined) {
      const error_description = `${refused} is not among the deployment's redirect URLs: an operator can add it with -c mcpRedirectUrls`;
      return { status: 400, body: { error: "invalid_redirect_uri", error_description } };
    }
    return {
      status: 201,
      body: {
        client_id: deps.clientId,
        ...(client_name !== undefined && { client_name }),
        redirect_uris,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    };
  });

function isAllowed(url: string, allowed: readonly string[]): boolean {
  if (allowed.includes(url)) return true;
  if (!allowed.includes(ANY_LOOPBACK) || !URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && LOOPBACK.has(hostname);
}

export const handler = lazyHandler((config) =>
  createRegisterClient({
    ...openHttp(config),
    clientId: config.PAGE_CLIENT_ID,
    redirectUrls: config.MCP_REDIRECT_URLS,
  }),
);

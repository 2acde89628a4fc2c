import { timeLimit } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { mcpOperations } from "../../shared/http/operations/mcp.ts";
import { lazyHandler, openHttp } from "../compose.ts";

/** Milliseconds to wait for the issuer, and seconds after which a client may retry. */
const TIMEOUT = 3000;
const RETRY_AFTER = 5;

interface Endpoints {
  authorization_endpoint: string;
  token_endpoint: string;
}

interface Dependencies extends HttpDependencies {
  /** Reads the issuer's endpoints. Throws when the issuer does not answer. */
  discover: () => Promise<Endpoints>;
}

/**
 * GET /.well-known/oauth-authorization-server. People sign in at the deployment's own issuer. The registration is here, because Cognito
 * has none.
 */
export function createGetAuthorizationServer(deps: Dependencies) {
  return createHttpHandler(mcpOperations.getAuthorizationServer, deps, async ({ baseUrl }) => {
    const { authorization_endpoint, token_endpoint } = await deps.discover().catch((cause: unknown) => {
      throw new AppError("unavailable", "the issuer does not answer", { cause, retryAfter: RETRY_AFTER });
    });
    return {
      status: 200,
      body: {
        issuer: baseUrl,
        authorization_endpoint,
        token_endpoint,
        registration_endpoint: `${baseUrl}/oauth/register`,
        response_types_supported: ["code"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
        scopes_supported: ["openid"],
      },
    };
  });
}

/** Reads the issuer's endpoints once per instance (OpenID Connect Discovery 1.0, section 4). */
function discoverOnce(issuer: string): () => Promise<Endpoints> {
  let known: Endpoints | undefined;
  return async () => {
    if (known) return known;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetch(url, { signal: timeLimit(TIMEOUT) });
    if (!response.ok) throw new Error(`the issuer answers ${response.status} to a request for its configuration`);
    known = (await response.json()) as Endpoints;
    return known;
  };
}

export const handler = lazyHandler((config) =>
  createGetAuthorizationServer({ ...openHttp(config), discover: discoverOnce(config.OIDC_ISSUER) }),
);

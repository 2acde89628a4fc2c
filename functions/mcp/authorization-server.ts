import { AppError } from "../../shared/errors.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import {
  discoverIssuer,
  ISSUER_RETRY_AFTER,
  type IssuerConfiguration,
} from "../../shared/http/discover-issuer.oidc.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { mcpOperations } from "../../shared/http/operations/mcp-operations.ts";
import { lazyHandler, openHttp } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  /** Reads the issuer's endpoints. Throws when the issuer does not answer. */
  discover: () => Promise<
    Pick<Awaited<ReturnType<typeof discoverIssuer>>, "authorization_endpoint" | "token_endpoint">
  >;
}

/**
 * GET /.well-known/oauth-authorization-server. People sign in at the deployment's own issuer. The registration is here, because Cognito
 * has none.
 */
export function createGetAuthorizationServer(deps: Dependencies) {
  return createHttpHandler(mcpOperations.getAuthorizationServer, deps, async ({ baseUrl }) => {
    const { authorization_endpoint, token_endpoint } = await deps.discover().catch((cause: unknown) => {
      throw new AppError("unavailable", "the issuer does not answer", { cause, retryAfter: ISSUER_RETRY_AFTER });
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

export const handler = lazyHandler((config) => {
  let discovery: Promise<IssuerConfiguration> | undefined;
  return createGetAuthorizationServer({
    ...openHttp(config),
    // Reads them once per function instance, and again after a failure.
    discover: () => {
      discovery ??= discoverIssuer(config.OIDC_ISSUER).catch((error: unknown) => {
        discovery = undefined;
        throw error;
      });
      return discovery;
    },
  });
});

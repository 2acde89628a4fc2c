import type { APIGatewayAuthorizerResult, APIGatewayTokenAuthorizerEvent } from "aws-lambda";
import { createOidcVerifier } from "../../shared/http/verify-token.oidc.ts";
import { type TokenVerifier, verifyToken } from "../../shared/http/verify-token.ts";
import { lazyHandler } from "../compose.ts";

/**
 * Lambda authorizer: any valid token may call any route, and what it may do there is the handlers' business. Its answer
 * is cached by API Gateway for a while, so it covers the whole API, and carries the token's expiry for the handlers.
 */
export const createAuthorizer =
  (verify: TokenVerifier) =>
  async ({ authorizationToken, methodArn }: APIGatewayTokenAuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
    const claims = await verifyToken(verify, authorizationToken);
    // API Gateway answers 401 to this very text. For any other error, an issuer's outage above all, the template makes it answer 503.
    if (!claims) throw new Error("Unauthorized");
    const [api, stage] = methodArn.split("/");
    return {
      principalId: claims.sub,
      policyDocument: {
        Version: "2012-10-17",
        Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: `${api}/${stage}/*` }],
      },
      context: { ...claims },
    };
  };

export const handler = lazyHandler((config) => {
  const { OIDC_ISSUER, OIDC_AUDIENCE } = config;
  return createAuthorizer(createOidcVerifier(OIDC_ISSUER, OIDC_AUDIENCE));
});

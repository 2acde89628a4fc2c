import type { APIGatewayAuthorizerResult, APIGatewayTokenAuthorizerEvent } from "aws-lambda";
import { createOidcVerifier } from "../../shared/http/verify-token.oidc.ts";
import { type TokenVerifier, verifyToken } from "../../shared/http/verify-token.ts";
import { lazyHandler } from "../compose.ts";

/**
 * Creates the Lambda authorizer. A valid token may call every route; the handlers decide what it may do there. API Gateway caches
 * the answer, so the answer covers the whole API, and contains the token's expiry for the handlers.
 */
export function createAuthorizer(verify: TokenVerifier) {
  return async ({
    authorizationToken,
    methodArn,
  }: APIGatewayTokenAuthorizerEvent): Promise<APIGatewayAuthorizerResult> => {
    const claims = await verifyToken(verify, authorizationToken);
    // API Gateway answers 401 to exactly this text. For any other error, such as an outage of the issuer, the template answers 503.
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
}

export const handler = lazyHandler(({ OIDC_ISSUER, OIDC_AUDIENCE }) =>
  createAuthorizer(createOidcVerifier(OIDC_ISSUER, OIDC_AUDIENCE)),
);

import { importJWK, SignJWT } from "jose";
import { type IssuerKey, issuerUrl, LOCAL_CLIENT_ID, loadIssuerKey } from "./key.ts";

export interface TokenClaims {
  /** The token's `sub`. */
  user: string;
  /** Puts the user in the group `admin`. */
  admin?: boolean;
  /** Gives the scope `act-as`: the bearer may name the user it acts for. */
  actAs?: boolean;
  /** What the user may use: a plan of the deployment. */
  plan?: string;
  /** Seconds that it is good for; negative = expired already. @default 86400 */
  expiresIn?: number;
}

/** Issues a token that the host of a data directory accepts. It may run now or later. */
export async function issueToken(dataDirectory: string, claims: TokenClaims): Promise<string> {
  return await signToken(await loadIssuerKey(dataDirectory), claims);
}

/** Signs a token like a Cognito access token, which the local host accepts. */
export async function signToken(
  issuer: IssuerKey,
  { user, admin, actAs, plan, expiresIn = 86_400 }: TokenClaims,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    client_id: LOCAL_CLIENT_ID,
    token_use: "access",
    username: user,
    scope: actAs ? "openid act-as" : "openid",
    ...(plan && { plan }),
    ...(admin && { "cognito:groups": ["admin"] }),
  };
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: "RS256", kid: issuer.privateKey.kid, typ: "JWT" })
    .setSubject(user)
    .setIssuer(issuerUrl(issuer))
    .setAudience(LOCAL_CLIENT_ID)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresIn)
    .sign(await importJWK(issuer.privateKey, "RS256"));
}

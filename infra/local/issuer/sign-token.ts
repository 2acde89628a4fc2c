import { importJWK, SignJWT } from "jose";
import { type IssuerKey, issuerUrl, LOCAL_CLIENT_ID, loadIssuerKey } from "./issuer-key.ts";

export interface TokenClaims {
  /** The token's `sub`. */
  user: string;
  /** Puts the user in the group `admin`. */
  admin?: boolean;
  /** Adds the scope `act-as`: the client may act for other users. */
  actAs?: boolean;
  /** The plan of the user's limits. */
  plan?: string;
  /** Seconds until it expires; negative = it has expired. @default 86400 */
  expiresIn?: number;
}

/** Issues a token that the host of a data directory accepts, whether it runs now or later. */
export async function issueToken(dataDirectory: string, claims: TokenClaims): Promise<string> {
  return await signToken(await loadIssuerKey(dataDirectory), claims);
}

/** Signs a token in the format of a Cognito access token. */
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

import { timeLimit } from "../clock.ts";

/** Milliseconds to wait for one answer of the issuer. */
export const ISSUER_TIMEOUT = 3000;

/** Seconds after which a client may retry if the issuer fails. */
export const ISSUER_RETRY_AFTER = 5;

export interface IssuerConfiguration {
  jwks_uri: string;
  authorization_endpoint: string;
  token_endpoint: string;
}

/** Reads the endpoints of an issuer (OpenID Connect Discovery 1.0, section 4). Throws when the issuer does not return them. */
export async function discoverIssuer(issuer: string, timeout = ISSUER_TIMEOUT): Promise<IssuerConfiguration> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: timeLimit(timeout) });
  if (!response.ok) throw new Error(`the issuer answers ${response.status} to a request for its configuration`);
  return (await response.json()) as IssuerConfiguration;
}

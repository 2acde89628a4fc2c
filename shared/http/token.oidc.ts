import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import type { TokenVerifier } from "./token.ts";

/** Milliseconds: keys are kept for this long, and asked for again at most this often when one is unknown. */
const KEYS_MAX_AGE = 3_600_000;
const COOLDOWN = 30_000;
const TIMEOUT = 3000;

/** Seconds by which the issuer's clock may differ from ours. */
const CLOCK_TOLERANCE = 5;

/** Signature algorithms of public keys; a token may not choose `none` or a shared secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/**
 * Verifies tokens of an OpenID Connect issuer against its published keys (OpenID Connect Discovery 1.0, section 4).
 * The audience is in `aud`, or in `client_id` as in Cognito's access tokens; an empty one is not checked,
 * several are separated by commas.
 * Throws when the issuer cannot be reached.
 */
export function createOidcVerifier(issuer: string, audience: string): TokenVerifier {
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined;

  const discover = async () => {
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`the issuer's configuration answers ${response.status}`);
    const { jwks_uri } = (await response.json()) as { jwks_uri: string };
    return createRemoteJWKSet(new URL(jwks_uri), {
      cacheMaxAge: KEYS_MAX_AGE,
      cooldownDuration: COOLDOWN,
      timeoutDuration: TIMEOUT,
    });
  };

  return async (token) => {
    keys ??= await discover();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE,
        requiredClaims: ["sub", "exp"],
      });
      return isFor(payload, audience) ? payload : null;
    } catch (error) {
      if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return null;
      throw error;
    }
  };
}

function isFor({ aud, client_id }: JWTPayload, audience: string): boolean {
  const accepted: unknown[] = audience.split(",");
  return audience === "" || [aud, client_id].flat().some((one) => accepted.includes(one));
}

import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { AppError } from "../errors.ts";
import { discoverIssuer, ISSUER_RETRY_AFTER, ISSUER_TIMEOUT } from "./discover-issuer.oidc.ts";
import type { TokenVerifier } from "./verify-token.ts";

/** Milliseconds for which keys are kept, and the shortest time between two requests for an unknown key. */
const KEYS_MAX_AGE = 3_600_000;
const COOLDOWN = 30_000;

/** Seconds by which the issuer's clock may differ from this one. */
const CLOCK_TOLERANCE = 5;

/** Signature algorithms with public keys. A token must not choose `none` or a shared secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** The errors of an invalid token. Any other error comes from the issuer or the network. */
const WRONG_TOKEN = [
  errors.JWTInvalid,
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

/**
 * Creates a verifier of tokens of an OpenID Connect issuer, with its published keys (OpenID Connect Discovery 1.0, section 4).
 * The audience is in `aud`, or in `client_id` as in Cognito's access tokens. Commas separate several audiences; an empty one
 * is not checked. The verifier throws `unavailable` if the issuer does not return its keys, because then the token is unknown.
 */
export function createOidcVerifier(issuer: string, audience: string, timeout = ISSUER_TIMEOUT): TokenVerifier {
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined;

  const discover = async () => {
    const { jwks_uri } = await discoverIssuer(issuer, timeout);
    return createRemoteJWKSet(new URL(jwks_uri), {
      cacheMaxAge: KEYS_MAX_AGE,
      cooldownDuration: COOLDOWN,
      timeoutDuration: timeout,
    });
  };

  return async (token) => {
    try {
      keys ??= await discover();
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE,
        requiredClaims: ["sub", "exp"],
      });
      return isFor(payload, audience) ? payload : null;
    } catch (error) {
      if (WRONG_TOKEN.some((kind) => error instanceof kind)) return null;
      throw new AppError("unavailable", `the issuer ${issuer} does not return its keys`, {
        cause: error,
        retryAfter: ISSUER_RETRY_AFTER,
      });
    }
  };
}

function isFor({ aud, client_id }: JWTPayload, audience: string): boolean {
  const accepted: unknown[] = audience.split(",");
  return audience === "" || [aud, client_id].flat().some((one) => accepted.includes(one));
}

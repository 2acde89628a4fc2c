import { AppError } from "../errors.ts";
import type { Access } from "./operations.ts";

/** Characters of a user's id: what OpenID Connect allows a `sub`. */
export const MAX_USER = 255;

/** Who calls: what the authorizer found in the token. API Gateway passes every value on as text. */
export interface Claims {
  sub?: string;
  /** "true" for a member of the group `admin`. */
  admin?: string;
  /** "true" for a token that may name the user it acts for. */
  act_as?: string;
  /** Epoch seconds. */
  exp?: string;
  /** What the user may use: a name in the configuration's table of plans. */
  plan?: string;
}

/**
 * The user that a request is for. Throws `unauthorized` (also for a token that has expired since the authorizer's
 * answer was cached) or `forbidden`.
 */
export function identify(claims: Claims | undefined, actFor: string | undefined, access: Access, now: number): string {
  if (access === "public") return "";
  if (!claims?.sub || !(Number(claims.exp) * 1000 > now)) throw new AppError("unauthorized", "the token has expired");
  if (access === "admin" && claims.admin !== "true") {
    throw new AppError("forbidden", "this needs a token of the group admin");
  }
  if (actFor === undefined) return claims.sub;
  if (claims.act_as !== "true") {
    throw new AppError("forbidden", "X-User-Id needs a token with the scope act-as");
  }
  if (actFor === "" || actFor.length > MAX_USER || !actFor.isWellFormed()) {
    throw new AppError("validation_failed", `X-User-Id: must be 1 to ${MAX_USER} characters`, {
      fields: [{ path: "X-User-Id", message: `must be 1 to ${MAX_USER} characters` }],
    });
  }
  return actFor;
}

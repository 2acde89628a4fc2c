import type { Clock } from "../clock.ts";
import { AppError, invalidInput } from "../errors.ts";
import { setRequestUser } from "../log.ts";
import { headerOf } from "./headers.ts";
import type { Middleware } from "./http-request.ts";
import type { Access, Operation } from "./operations/operation.ts";
import { MAX_USER } from "./verify-token.ts";

/** The authorizer's context. API Gateway passes every value as text; the authorizer's `Token` says what they mean. */
interface Claims {
  sub?: string;
  admin?: string;
  act_as?: string;
  exp?: string;
  plan?: string;
}

/**
 * Middleware: finds the user that the request is for. Throws `unauthorized`, also for a token that has expired since API
 * Gateway cached the authorizer's answer, `forbidden` and `validation_failed`.
 */
export function authenticate({ access }: Operation, clock: Clock): Middleware {
  return {
    before: async ({ event, context }) => {
      const claims: Claims = event.requestContext.authorizer ?? {};
      context.plan = claims.plan ?? "";
      context.isAdmin = claims.admin === "true";
      context.user = access === "public" ? "" : userOf(claims, headerOf(event, "x-user-id"), access, clock());
      context.actor = claims.sub ?? "";
      if (context.user === "") return;
      context.meter.setUser(context.user);
      setRequestUser(context.user);
    },
  };
}

function userOf({ sub, exp, ...may }: Claims, actFor: string | undefined, access: Access, now: number): string {
  if (!sub || !(Number(exp) * 1000 > now)) throw new AppError("unauthorized", "the token has expired");
  if (access === "admin" && may.admin !== "true") {
    throw new AppError("forbidden", "this route needs a token of the group admin");
  }
  if (actFor === undefined) return sub;
  if (may.act_as !== "true") {
    throw new AppError("forbidden", "X-User-Id needs a token with the scope act-as");
  }
  if (actFor === "" || actFor.length > MAX_USER || !actFor.isWellFormed()) {
    throw invalidInput({ path: "X-User-Id", message: `must be 1 to ${MAX_USER} characters` });
  }
  return actFor;
}

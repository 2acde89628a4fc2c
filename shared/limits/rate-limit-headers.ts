import { resetOf } from "./limits.ts";
import type { NamedPlan } from "./plans.ts";

const MINUTE = 60_000;

/** Seconds until the current minute and day end. */
export function secondsLeft(now: number) {
  return {
    minute: Math.ceil((MINUTE - (now % MINUTE)) / 1000),
    day: Math.ceil((resetOf(now) - now) / 1000),
  };
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10). */
export function rateLimitHeaders(
  plan: NamedPlan,
  used: { requests: number; tokens: number },
  now: number,
): Record<string, string> {
  const left = secondsLeft(now);
  const limits = [
    { name: "requests", quota: plan.requests_per_minute, window: 60, used: used.requests, left: left.minute },
    { name: "tokens", quota: plan.tokens_per_day, window: 86_400, used: used.tokens, left: left.day },
  ].filter(({ quota }) => quota > 0);
  if (limits.length === 0) return {};
  return {
    "ratelimit-policy": limits.map(({ name, quota, window }) => `"${name}";q=${quota};w=${window}`).join(", "),
    ratelimit: limits
      .map(({ name, quota, used, left }) => `"${name}";r=${Math.max(0, quota - used)};t=${left}`)
      .join(", "),
  };
}

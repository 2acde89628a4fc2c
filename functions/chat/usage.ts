import { toInstant } from "../../shared/clock.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import { type Limits, resetOf } from "../../shared/limits/limits.ts";
import { type Plans, planOf } from "../../shared/limits/plans.ts";
import { lazyHandler, openHttp, openTable } from "../compose.ts";

interface Dependencies extends HttpDependencies {
  limits: Pick<Limits, "usage">;
  plans: Plans;
}

/** GET /v1/usage */
export function createGetUsage(deps: Dependencies) {
  return createHttpHandler(chatOperations.getUsage, deps, async ({ user, plan }) => {
    const now = deps.clock();
    const { spent, ...usage } = await deps.limits.usage(user, now);
    const { name, requests_per_minute, tokens_per_day } = planOf(deps.plans, plan);
    const limits = {
      plan: name,
      requests_per_minute: requests_per_minute || null,
      tokens_per_day: tokens_per_day || null,
      tokens_left: tokens_per_day ? Math.max(0, tokens_per_day - spent) : null,
    };
    return { status: 200, body: { ...usage, limits, resets_at: toInstant(resetOf(now)) } };
  });
}

export const handler = lazyHandler((config) => {
  return createGetUsage({ ...openHttp(config), limits: createLimits(openTable(config)), plans: config.PLANS });
});

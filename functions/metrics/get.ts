import { toInstant } from "../../shared/clock.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { metricOperations } from "../../shared/http/operations/metric-operations.ts";
import { checkRange } from "../../shared/http/range.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import type { MetricStore } from "../../shared/metrics/metric-store.ts";
import { queryMetrics } from "../../shared/metrics/query-metrics.ts";
import { DAY } from "../../shared/retention/rule.ts";
import { lazyHandler, openHttp, openMetricsTable } from "../compose.ts";

/** Default length of the range in seconds. */
const DEFAULT_RANGE = { hour: DAY, day: 30 * DAY, month: 365 * DAY } as const;

interface Dependencies extends HttpDependencies {
  store: MetricStore;
}

/** GET /v1/metrics */
export function createGetMetrics(deps: Dependencies) {
  return createHttpHandler(metricOperations.getMetrics, deps, async ({ query }) => {
    const { granularity, from, to = toInstant(deps.clock()), name, by, ...dimensions } = query;
    checkRange({ from, to });
    const data = await queryMetrics(deps, {
      ...(name === undefined ? {} : { name }),
      granularity,
      from: from ?? toInstant(Math.max(0, Date.parse(to) - DEFAULT_RANGE[granularity] * 1000)),
      to,
      dimensions: definedOnly(dimensions),
      by,
    });
    return { status: 200, body: { data } };
  });
}

function definedOnly(dimensions: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(dimensions).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

export const handler = lazyHandler((config) => {
  return createGetMetrics({ ...openHttp(config), store: createMetricStore(openMetricsTable(config)) });
});

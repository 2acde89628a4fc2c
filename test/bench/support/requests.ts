import { loadIssuerKey } from "../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../infra/local/issuer/sign-token.ts";
import type { MetricRow } from "../../../shared/metrics/query-metrics.ts";
import { printTable } from "./print-table.ts";

/** Counts all requests of this process to a host, until it is stopped. */
export function countRequests(url: string) {
  const made = { answered: 0, byGateway: 0, unanswered: 0 };
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const isCounted = String(input instanceof Request ? input.url : input).startsWith(`${url}/`);
    try {
      const response = await fetch(input, init);
      // A request that no function answers, such as a throttled one, has no metric.
      if (isCounted) made[response.headers.has("x-amzn-errortype") ? "byGateway" : "answered"]++;
      return response;
    } catch (error) {
      if (isCounted) made.unanswered++;
      throw error;
    }
  };
  return {
    made: (): Readonly<typeof made> => ({ ...made }),
    stop() {
      globalThis.fetch = fetch;
    },
  };
}

/**
 * Prints the aggregates of a host's requests by route, including the current hour, beside the number of requests that this process made.
 * Returns the difference, which is 0 unless a metric was lost or a request was counted twice. The function also counts a request that
 * the gateway answers because the function is too slow.
 */
export async function printRequests(
  url: string,
  data: string,
  { answered, byGateway, unanswered }: ReturnType<ReturnType<typeof countRequests>["made"]>,
): Promise<number> {
  const bearer = await signToken(await loadIssuerKey(data), { user: "bench", admin: true });
  const response = await fetch(`${url}/v1/metrics?name=api.request&granularity=month`, {
    headers: { authorization: `Bearer ${bearer}` },
  });
  if (!response.ok) throw new Error(`GET /v1/metrics: ${response.status} ${await response.text()}`);
  const rows = ((await response.json()) as { data: MetricRow[] }).data;
  printTable(
    "Requests as GET /v1/metrics has them, ms",
    ["", "status", "count", "errors", "p50", "p95", "p99"],
    rows
      .toSorted((a, b) => b.count - a.count)
      .map(({ dimensions: { route = "", status = "" }, count, errors, p50, p95, p99 }) => [
        route,
        status,
        count,
        errors,
        p50,
        p95,
        p99,
      ]),
  );
  const aggregated = rows.reduce((sum, { count }) => sum + count, 0);
  const difference = answered - aggregated;
  printTable(
    "Requests",
    ["", ""],
    [
      ["answered by functions", answered],
      ["in the aggregates", aggregated],
      ["difference", difference],
      ["answered by the gateway itself", byGateway],
      ["not answered", unanswered],
    ],
  );
  return difference < 0 ? Math.min(0, difference + byGateway) : difference;
}

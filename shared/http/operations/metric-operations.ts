import * as z from "zod";
import { seriesNames } from "../../metrics/metric.ts";
import { metricRowSchema } from "../../metrics/query-metrics.ts";
import type { Operation } from "./operation.ts";
import { rangeQuery } from "./parameters.ts";

const dimension = z.string().max(128).optional().meta({ description: "Only aggregates with this dimension." });

export const metricOperations = {
  getMetrics: {
    method: "GET",
    path: "/v1/metrics",
    access: "admin",
    audited: "metrics.read",
    summary: "Read aggregates of requests, model calls and events by hour, day or month, including the current one",
    query: z.object({
      name: z.enum(seriesNames as [string, ...string[]]).optional(),
      granularity: z.enum(["hour", "day", "month"]).default("hour"),
      ...rangeQuery,
      route: dimension,
      status: dimension,
      plan: dimension,
      model: dimension,
      event: dimension,
      store: dimension,
      by: z.enum(["none", "route", "status", "plan", "model", "event", "store"]).optional().meta({
        description: "Merge aggregates that differ only in other dimensions; `none` merges all aggregates of a window.",
      }),
    }),
    answers: { 200: z.object({ data: z.array(metricRowSchema) }) },
  },
} as const satisfies Record<string, Operation>;

import { Duration } from "aws-cdk-lib";
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  LogQueryVisualizationType,
  LogQueryWidget,
  Metric,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import { NAMESPACE, type Trouble } from "../../shared/metrics/trouble.ts";
import type { Options } from "../stage.ts";
import type { ApiStack } from "./api.ts";
import type { DataStack } from "./data.ts";
import type { JobsStack } from "./jobs.ts";

/** The stacks that the dashboard and the alarms watch. */
export interface Watched {
  options: Options;
  data: DataStack;
  api: ApiStack;
  jobs: JobsStack;
}

const PERIOD = { period: Duration.minutes(5) };

const troubles: Trouble[] = ["BreakerOpen", "ArchiveBehind", "LakeStale", "JobsLate", "CostAboveBudget"];

/**
 * Adds the dashboard. Figures that CloudWatch does not measure come from the log lines of `jobs-watch` and `jobs-archive`: a query costs
 * half a cent per gigabyte when a user opens the page, and a custom metric costs $0.30 per month in any case.
 */
export function addDashboard(scope: Construct, { options, api, jobs, data }: Watched): void {
  const all = [...jobs.streamJobs, ...jobs.scheduledJobs];
  const latency = (statistic: string) => api.api.metricLatency({ ...PERIOD, statistic, label: statistic });
  const lambda = (metricName: string) =>
    new Metric({ namespace: "AWS/Lambda", metricName, statistic: "Sum", ...PERIOD });
  const throttled = (name: "table" | "metrics") =>
    data[name].metric("WriteThrottleEvents", { ...PERIOD, statistic: "Sum", label: `writes to ${name}` });
  const gauges = (title: string, names: string[], log: "jobs-watch" | "jobs-archive" = "jobs-watch") =>
    new LogQueryWidget({
      title,
      logGroupNames: [jobs.lambdaOf(log).logGroup.logGroupName],
      view: LogQueryVisualizationType.LINE,
      width: 8,
      height: 6,
      queryLines: [
        `filter job = "${log.replace("jobs-", "")}"`,
        `stats ${names.map((name) => `max(${name}) as ${name}_`).join(", ")} by bin(5m)`,
      ],
    });

  new Dashboard(scope, "Dashboard", {
    dashboardName: `memocha-${options.stage.name}`,
    widgets: [
      [
        graph("Traffic and errors", [
          api.api.metricCount(PERIOD),
          api.api.metricClientError(PERIOD),
          api.api.metricServerError(PERIOD),
        ]),
        graph("Latency, ms", [latency("p50"), latency("p95"), latency("p99")]),
        graph("Throttles", [lambda("Throttles"), throttled("table"), throttled("metrics")]),
      ],
      [
        gauges("LLM: calls and errors in the last full hour", ["llm_calls", "llm_errors"]),
        gauges("LLM: p95 in the last full hour, ms", ["llm_p95_ms"]),
        gauges("Cost of the month so far and budget, $", ["cost_usd", "budget_usd"]),
      ],
      [
        graph(
          "Trouble: breaker, archive, lake, jobs, budget (no line = none)",
          troubles.map(
            (metricName) =>
              new Metric({
                namespace: NAMESPACE,
                metricName,
                dimensionsMap: { stage: options.stage.name },
                statistic: "Maximum",
                ...PERIOD,
              }),
          ),
        ),
        gauges("Freshness: sessions overdue, age of the lake, s", ["sessions_overdue", "lake_age_s"]),
        gauges("TTL: lag of DynamoDB's deletions, s", ["ttl_lag_s"], "jobs-archive"),
      ],
      [
        graph(
          "Stream: age of the oldest record, ms",
          jobs.streamJobs.map((job) =>
            job.lambda.metric("IteratorAge", { ...PERIOD, statistic: "Maximum", label: job.name }),
          ),
        ),
        graph(
          "Jobs: errors",
          all.map((job) => job.lambda.metricErrors({ ...PERIOD, label: job.name })),
        ),
        graph("Dead letters", [jobs.deadLetters.metricApproximateNumberOfMessagesVisible(PERIOD)]),
      ],
      [
        graph("Tables: consumed write units", [
          data.table.metricConsumedWriteCapacityUnits({ ...PERIOD, label: "conversations" }),
          data.metrics.metricConsumedWriteCapacityUnits({ ...PERIOD, label: "metrics" }),
        ]),
        graph("Tables: consumed read units", [
          data.table.metricConsumedReadCapacityUnits({ ...PERIOD, label: "conversations" }),
          data.metrics.metricConsumedReadCapacityUnits({ ...PERIOD, label: "metrics" }),
        ]),
        gauges("Active sessions", ["active_sessions"]),
      ],
    ],
  });
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8, height: 6 });
}

import { Duration } from "aws-cdk-lib";
import { Dashboard, GraphWidget, type IMetric } from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { ObservabilityProps } from "./observability.ts";

const FIVE_MINUTES = { period: Duration.minutes(5) };

/** Adds one page: how the API answers, how the jobs keep up, what the table is asked for. */
export function addDashboard(scope: Construct, { options, api, jobs, data }: ObservabilityProps): void {
  const all = [...jobs.streamJobs, ...jobs.scheduledJobs];
  const latency = (statistic: string) => api.api.metricLatency({ ...FIVE_MINUTES, statistic, label: statistic });

  new Dashboard(scope, "Dashboard", {
    dashboardName: `memocha-${options.stage.name}`,
    widgets: [
      [
        graph("Requests and errors", [
          api.api.metricCount(FIVE_MINUTES),
          api.api.metricClientError(FIVE_MINUTES),
          api.api.metricServerError(FIVE_MINUTES),
        ]),
        graph("Latency, ms", [latency("p50"), latency("p95"), latency("p99")]),
        graph("Table: consumed units", [
          data.table.metricConsumedReadCapacityUnits(FIVE_MINUTES),
          data.table.metricConsumedWriteCapacityUnits(FIVE_MINUTES),
        ]),
      ],
      [
        graph(
          "Jobs: runs and errors",
          all.flatMap(({ name, lambda }) => [
            lambda.metricInvocations({ ...FIVE_MINUTES, label: `${name} runs` }),
            lambda.metricErrors({ ...FIVE_MINUTES, label: `${name} errors` }),
          ]),
        ),
        graph(
          "Stream: age of the oldest record, ms",
          jobs.streamJobs.map(({ name, lambda }) =>
            lambda.metric("IteratorAge", { ...FIVE_MINUTES, statistic: "Maximum", label: name }),
          ),
        ),
        graph("Dead letters", [jobs.deadLetters.metricApproximateNumberOfMessagesVisible(FIVE_MINUTES)]),
      ],
    ],
  });
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8, height: 6 });
}

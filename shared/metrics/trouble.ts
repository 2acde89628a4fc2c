/** Namespace of Memocha's metrics in CloudWatch. */
export const NAMESPACE = "Memocha";

/**
 * Problems that raise an alarm. Each is published only while the problem lasts: CloudWatch charges for every hour in which a
 * metric has a value, and the alarms treat missing data as no problem.
 */
export type Trouble = "ArchiveBehind" | "LakeStale" | "JobsLate" | "BreakerOpen" | "CostAboveBudget";

/**
 * A log line that CloudWatch turns into a metric (embedded metric format:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
 */
export function troubleLine(stage: string, trouble: Trouble, value: number, now: number): string {
  return JSON.stringify({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [["stage"]], Metrics: [{ Name: trouble }] }],
    },
    level: "warn",
    stage,
    [trouble]: value,
  });
}

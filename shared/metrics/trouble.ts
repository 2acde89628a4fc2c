/** Namespace of the system's own metrics in CloudWatch. */
export const NAMESPACE = "Memocha";

/**
 * What wakes somebody: each is published only while something is wrong, as a metric in CloudWatch costs money in every
 * hour in which it has a value, and an alarm takes no data for good news.
 */
export type Trouble = "ArchiveBehind" | "LakeStale" | "JobsLate" | "BreakerOpen" | "CostAboveBudget";

/**
 * A log line from which CloudWatch makes a metric (embedded metric format:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
 */
export const troubleLine = (stage: string, trouble: Trouble, value: number, now: number): string =>
  JSON.stringify({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [["stage"]], Metrics: [{ Name: trouble }] }],
    },
    level: "warn",
    stage,
    [trouble]: value,
  });

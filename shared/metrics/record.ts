import type { Metric } from "./metric.ts";

/**
 * Takes what was measured. It never rejects: a metric that cannot be written is lost, and logged, and what it measures
 * goes on. A Lambda function freezes once it has answered, so await it, beside other work where there is some.
 */
export interface Recorder {
  record(metric: Metric): Promise<void>;
}

/** Records nothing: for tests of other things. */
export const noRecorder: Recorder = { record: async () => undefined };

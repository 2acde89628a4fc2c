import type { Metric } from "./metric.ts";

/**
 * Records metrics, and never rejects: it logs the failure to write a metric, which is lost. Await it in parallel with other work, because a
 * Lambda function freezes after its answer.
 */
export interface Recorder {
  /** Writes a metric together with the noted ones, in one call. */
  record(metric: Metric): Promise<void>;
  /** Keeps a metric for the next `record` or `flush`, so that a call inside a request costs no extra round trip. */
  note(metric: Metric): void;
  /** Writes the noted metrics. Sends nothing if there are none. */
  flush(): Promise<void>;
}

/** Records nothing, for tests of other code. */
export const noRecorder: Recorder = {
  record: async () => undefined,
  note: () => undefined,
  flush: async () => undefined,
};

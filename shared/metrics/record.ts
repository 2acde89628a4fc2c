import type { Metric } from "./metric.ts";

/**
 * Takes what was measured. It never rejects: a metric that cannot be written is lost, and logged, and what it measures
 * goes on. A Lambda function freezes once it has answered, so await it, beside other work where there is some.
 */
export interface Recorder {
  /** Writes it, and what was noted before, in one call. */
  record(metric: Metric): Promise<void>;
  /** Takes it down for the next `record` or `flush`, so that a call inside of a request costs no round trip of its own. */
  note(metric: Metric): void;
  /** Writes what was noted; nothing is sent when nothing was. */
  flush(): Promise<void>;
}

/** Records nothing: for tests of other things. */
export const noRecorder: Recorder = {
  record: async () => undefined,
  note: () => undefined,
  flush: async () => undefined,
};

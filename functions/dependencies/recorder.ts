import type { Config } from "../../shared/config.ts";
import { createRecorder } from "../../shared/metrics/record.dynamodb.ts";
import type { Recorder } from "../../shared/metrics/record.ts";
import { clock } from "./clock.ts";
import { openMetricsTable } from "./table.ts";

/** One recorder a function: what its calls have noted is written with the metric of its request. */
let recorder: Recorder | undefined;

/** Where requests, LLM, embedding and search calls leave their metrics. */
export function openRecorder(config: Config): Recorder {
  recorder ??= createRecorder(openMetricsTable(config), clock);
  return recorder;
}

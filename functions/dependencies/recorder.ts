import type { Config } from "../../shared/config.ts";
import { createRecorder } from "../../shared/metrics/record.dynamodb.ts";
import type { Recorder } from "../../shared/metrics/record.ts";
import { openMetricsTable } from "./table.ts";

/** Where requests, LLM, embedding and search calls leave their metrics. */
export const openRecorder = (config: Config): Recorder => createRecorder(openMetricsTable(config), Date.now);

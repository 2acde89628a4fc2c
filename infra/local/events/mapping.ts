import * as z from "zod";
import { compileFilter } from "./filter-pattern.ts";

/** CloudFormation sometimes writes numbers and booleans as strings. */
const number = (absent: number) => z.coerce.number().int().default(absent);
const flag = (absent: boolean) =>
  z.union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")]).default(absent);

/** With Lambda's defaults for DynamoDB streams. */
const schema = z.object({
  FunctionName: z.string(),
  BatchSize: number(100),
  BisectBatchOnFunctionError: flag(false),
  DestinationConfig: z.object({ OnFailure: z.object({ Destination: z.string() }).optional() }).optional(),
  Enabled: flag(true),
  FilterCriteria: z.object({ Filters: z.array(z.object({ Pattern: z.string() })).default([]) }).optional(),
  FunctionResponseTypes: z.array(z.string()).default([]),
  /** Seconds. */
  MaximumBatchingWindowInSeconds: number(0),
  /** Seconds; -1 = any age. */
  MaximumRecordAgeInSeconds: number(-1),
  /** -1 = no limit. */
  MaximumRetryAttempts: number(-1),
  ParallelizationFactor: number(1),
  StartingPosition: z.enum(["TRIM_HORIZON", "LATEST"]),
});

/** Properties without effect on one machine. */
const notLocal = ["EventSourceArn", "KmsKeyArn", "LoggingConfig", "MetricsConfig", "Tags"];

export interface Mapping {
  /** The readable name of the function. */
  functionLabel: string;
  functionArn: string;
  batchSize: number;
  bisect: boolean;
  enabled: boolean;
  hasDestination: boolean;
  reportsItemFailures: boolean;
  /** Seconds. */
  window: number;
  /** Seconds; -1 = any age. */
  maximumAge: number;
  /** -1 = no limit. */
  maximumRetries: number;
  parallelization: number;
  startingPosition: "TRIM_HORIZON" | "LATEST";
  /** Whether a record passes the filters. */
  accepts: (record: object) => boolean;
}

/**
 * Reads the resolved properties of an AWS::Lambda::EventSourceMapping on a DynamoDB stream. Warns about each property that the host
 * does not support. Throws an Error when a filter pattern or a property is malformed.
 */
export function readMapping(
  properties: Record<string, unknown>,
  streamArn: string,
  warn: (line: string) => void,
  label?: string,
): Mapping {
  const mapping = schema.parse(properties);
  const name = /:function:([^:]+)/.exec(mapping.FunctionName)?.[1] ?? mapping.FunctionName;
  const functionLabel = label ?? name;
  const [, , , region, account] = streamArn.split(":");
  for (const key of Object.keys(properties)) {
    if (!Object.hasOwn(schema.shape, key) && !notLocal.includes(key)) {
      warn(`Event source of ${functionLabel}: the local host does not support the property ${key}.`);
    }
  }
  const filters = mapping.FilterCriteria?.Filters.map(({ Pattern }) => compileFilter(JSON.parse(Pattern))) ?? [];
  return {
    functionLabel,
    functionArn: mapping.FunctionName.startsWith("arn:")
      ? mapping.FunctionName
      : `arn:aws:lambda:${region}:${account}:function:${name}`,
    batchSize: mapping.BatchSize,
    bisect: mapping.BisectBatchOnFunctionError,
    enabled: mapping.Enabled,
    hasDestination: mapping.DestinationConfig?.OnFailure !== undefined,
    reportsItemFailures: mapping.FunctionResponseTypes.includes("ReportBatchItemFailures"),
    window: mapping.MaximumBatchingWindowInSeconds,
    maximumAge: mapping.MaximumRecordAgeInSeconds,
    maximumRetries: mapping.MaximumRetryAttempts,
    parallelization: mapping.ParallelizationFactor,
    startingPosition: mapping.StartingPosition,
    accepts: (record) => filters.length === 0 || filters.some((matches) => matches(record)),
  };
}

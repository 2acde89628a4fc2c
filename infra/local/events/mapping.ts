import { functionArn, functionName } from "../assembly/physical.ts";
import { compileFilter } from "./filter-pattern.ts";

/** The properties of an AWS::Lambda::EventSourceMapping. */
interface MappingProperties {
  FunctionName: string;
  BatchSize?: number;
  BisectBatchOnFunctionError?: boolean;
  DestinationConfig?: { OnFailure?: object };
  Enabled?: boolean;
  FilterCriteria?: { Filters?: { Pattern: string }[] };
  FunctionResponseTypes?: string[];
  MaximumBatchingWindowInSeconds?: number;
  MaximumRecordAgeInSeconds?: number;
  MaximumRetryAttempts?: number;
  ParallelizationFactor?: number;
  StartingPosition: "TRIM_HORIZON" | "LATEST";
}

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
 * Reads the resolved properties of an AWS::Lambda::EventSourceMapping on a DynamoDB stream, with Lambda's defaults. Throws an Error when
 * a filter pattern is malformed.
 */
export function readMapping(properties: Record<string, unknown>, label?: string): Mapping {
  const mapping = properties as unknown as MappingProperties;
  const name = functionName(mapping.FunctionName);
  const filters = mapping.FilterCriteria?.Filters?.map(({ Pattern }) => compileFilter(JSON.parse(Pattern))) ?? [];
  return {
    functionLabel: label ?? name,
    functionArn: functionArn(name),
    batchSize: mapping.BatchSize ?? 100,
    bisect: mapping.BisectBatchOnFunctionError ?? false,
    enabled: mapping.Enabled ?? true,
    hasDestination: mapping.DestinationConfig?.OnFailure !== undefined,
    reportsItemFailures: mapping.FunctionResponseTypes?.includes("ReportBatchItemFailures") ?? false,
    window: mapping.MaximumBatchingWindowInSeconds ?? 0,
    maximumAge: mapping.MaximumRecordAgeInSeconds ?? -1,
    maximumRetries: mapping.MaximumRetryAttempts ?? -1,
    parallelization: mapping.ParallelizationFactor ?? 1,
    startingPosition: mapping.StartingPosition,
    accepts: (record) => filters.length === 0 || filters.some((matches) => matches(record)),
  };
}

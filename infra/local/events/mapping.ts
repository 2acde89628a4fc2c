import { functionArn, functionName } from "../assembly/physical.ts";
import { compileFilter } from "./filter-pattern.ts";

/** The properties of an AWS::Lambda::EventSourceMapping. */
interface MappingProperties {
  FunctionName: string;
  BatchSize?: number;
  BisectBatchOnFunctionError?: boolean;
  DestinationConfig?: { OnFailure?: object };
  FilterCriteria?: { Filters?: { Pattern: string }[] };
  FunctionResponseTypes?: string[];
  MaximumBatchingWindowInSeconds?: number;
  MaximumRecordAgeInSeconds?: number;
  MaximumRetryAttempts?: number;
  ParallelizationFactor?: number;
  StartingPosition: string;
}

export interface Mapping {
  /** The readable name of the function. */
  functionLabel: string;
  functionArn: string;
  batchSize: number;
  bisect: boolean;
  hasDestination: boolean;
  reportsItemFailures: boolean;
  /** Seconds. */
  window: number;
  /** Seconds; -1 = any age. */
  maximumAge: number;
  /** -1 = no limit. */
  maximumRetries: number;
  parallelization: number;
  /** Whether a record passes the filters. */
  accepts: (record: object) => boolean;
}

/**
 * Reads the resolved properties of an AWS::Lambda::EventSourceMapping on a DynamoDB stream, with Lambda's defaults. Throws an Error when
 * a filter pattern is malformed, or
 * when the mapping does not start at the oldest record.
 */
export function readMapping(properties: Record<string, unknown>, label?: string): Mapping {
  const mapping = properties as unknown as MappingProperties;
  const name = functionName(mapping.FunctionName);
  if (mapping.StartingPosition !== "TRIM_HORIZON") {
    throw new Error(
      `The event source of ${name} starts at ${mapping.StartingPosition}; the host knows TRIM_HORIZON only.`,
    );
  }
  const filters = mapping.FilterCriteria?.Filters?.map(({ Pattern }) => compileFilter(JSON.parse(Pattern))) ?? [];
  return {
    functionLabel: label ?? name,
    functionArn: functionArn(name),
    batchSize: mapping.BatchSize ?? 100,
    bisect: mapping.BisectBatchOnFunctionError ?? false,
    hasDestination: mapping.DestinationConfig?.OnFailure !== undefined,
    reportsItemFailures: mapping.FunctionResponseTypes?.includes("ReportBatchItemFailures") ?? false,
    window: mapping.MaximumBatchingWindowInSeconds ?? 0,
    maximumAge: mapping.MaximumRecordAgeInSeconds ?? -1,
    maximumRetries: mapping.MaximumRetryAttempts ?? -1,
    parallelization: mapping.ParallelizationFactor ?? 1,
    accepts: (record) => filters.length === 0 || filters.some((matches) => matches(record)),
  };
}

import type { Aggregate, RawMetric } from "./aggregate.ts";
import type { Granularity } from "./window.ts";

/** Raw metrics and their aggregates. */
export interface MetricStore {
  /** One shard of an hour's raw metrics, a page at a time, in the order of their times and ids. */
  raw(hour: string, shard: number): AsyncIterable<RawMetric[]>;
  /** How many shards an hour has; metrics are spread over them by chance. */
  readonly shards: number;
  /** The aggregates of a series in the windows from one to another, both included, by window and dimensions. */
  aggregates(granularity: Granularity, series: string, first: string, last: string): AsyncIterable<Windowed[]>;
  put(granularity: Granularity, rows: readonly Windowed[]): Promise<void>;
  /** The first and the last window that were folded, or exported; `null` = none was. */
  checkpoint(of: Granularity | "export"): Promise<Checkpoint | null>;
  /** Moves the checkpoint forward; where it is further already, it stays. */
  advance(of: Granularity | "export", window: string): Promise<void>;
}

export interface Windowed extends Aggregate {
  window: string;
}

export interface Checkpoint {
  since: string;
  through: string;
}

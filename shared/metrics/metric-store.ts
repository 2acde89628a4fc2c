import type { Aggregate, RawMetric } from "./aggregate.ts";
import type { Granularity } from "./window.ts";

/** Stores raw metrics and their aggregates. */
export interface MetricStore {
  /** Yields the raw metrics of one shard of an hour, page by page, sorted by time and id. */
  raw(hour: string, shard: number): AsyncIterable<RawMetric[]>;
  /** The number of shards per hour. Metrics are distributed over them at random. */
  readonly shards: number;
  /** Yields the aggregates of a series from window `first` to `last` (inclusive), sorted by window and dimensions. */
  aggregates(granularity: Granularity, series: string, first: string, last: string): AsyncIterable<Windowed[]>;
  /** Stores aggregates, and replaces those of the same window, series and dimensions. */
  put(granularity: Granularity, rows: readonly Windowed[]): Promise<void>;
  /** Reads the first and last window that were folded or exported; `null` = none. */
  checkpoint(of: Granularity | "export"): Promise<Checkpoint | null>;
  /** Moves the checkpoint forward, never back. */
  advance(of: Granularity | "export", window: string): Promise<void>;
}

export interface Windowed extends Aggregate {
  window: string;
}

export interface Checkpoint {
  since: string;
  through: string;
}

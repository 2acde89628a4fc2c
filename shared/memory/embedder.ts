import type { TermStatistics } from "./statistics.ts";

/** The vectors that can be compared with each other: those of one model, in one number of dimensions. */
export interface Space {
  model: string;
  dimensions: number;
}

/** What is embedded of a memory. */
export interface Passage {
  /** With speaker and date. */
  text: string;
  counts: ReadonlyMap<string, number>;
  /** Terms of what was said right before, in the same session. */
  before?: ReadonlyMap<string, number>;
}

/** Turns text into vectors. Throws `unavailable` when a model does not answer, `internal` when its answer is of no use. */
export interface Embedder {
  space: Space;
  /** A vector a passage, in order. */
  embed(passages: readonly Passage[]): Promise<number[][]>;
  /** The statistics are those of the user who asks. */
  embedQuery(text: string, statistics: TermStatistics): Promise<number[]>;
}

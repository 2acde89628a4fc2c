import type { TermStatistics } from "./statistics.ts";

/** Only vectors of the same space can be compared: those of one model with one number of dimensions. */
export interface Space {
  model: string;
  dimensions: number;
}

/** The input for the vector of a memory. */
export interface Passage {
  /** Includes speaker and date. */
  text: string;
  counts: ReadonlyMap<string, number>;
  /** Terms of the preceding memory of the session. */
  before?: ReadonlyMap<string, number>;
}

/** Turns text into vectors. Throws `unavailable` if the model does not answer, `internal` if its answer is invalid. */
export interface Embedder {
  space: Space;
  /** Returns one vector per passage, in order. */
  embed(passages: readonly Passage[]): Promise<number[][]>;
  /** Embeds a query. `statistics`: those of the user who asks. */
  embedQuery(text: string, statistics: TermStatistics): Promise<number[]>;
}

/** What became of one question: the ranks, from 1, at which its evidence came back. */
export interface Found {
  category: number;
  ranks: (number | null)[];
}

export const CUTOFFS = [5, 10, 20] as const;

interface Scores {
  questions: number;
  /** Percent of the evidence of a question that is among the first k, averaged over questions; by cutoff. */
  recall: number[];
  /** Mean reciprocal rank of the first evidence. */
  mrr: number;
}

export function scoresOf(all: readonly Found[]): Scores {
  const mean = (value: (found: Found) => number) => all.reduce((sum, found) => sum + value(found), 0) / all.length;
  return {
    questions: all.length,
    recall: CUTOFFS.map(
      (k) => 100 * mean(({ ranks }) => ranks.filter((r) => r !== null && r <= k).length / ranks.length),
    ),
    mrr: mean(({ ranks }) => 1 / Math.min(...ranks.map((rank) => rank ?? Number.POSITIVE_INFINITY))),
  };
}

/** The value below which `share` (0 to 1) of all are. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

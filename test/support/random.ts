/** Pseudorandom numbers: the same seed always gives the same numbers. */
import { mixedFnv1a } from "../../shared/hash.ts";
export interface Random {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number, at least 0, below `end`. */
  below(end: number): number;
  chance(share: number): boolean;
  pick<T>(values: readonly T[]): T;
}

/** Creates a generator (mulberry32) from the parts of a seed. Generators of different parts are independent. */
export function randomOf(...seed: readonly (string | number)[]): Random {
  let state = mixedFnv1a(seed.join("\n"));
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number) => Math.floor(next() * end);
  return {
    next,
    below,
    chance: (share) => next() < share,
    pick(values) {
      const value = values[below(values.length)];
      if (value === undefined) throw new Error("there is nothing to pick from");
      return value;
    },
  };
}

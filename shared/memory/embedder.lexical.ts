import { mixedFnv1a } from "../hash.ts";
import type { Embedder, Passage } from "./embedder.ts";
import { crowdOf, rarityOf } from "./statistics.ts";
import { countTerms, termsOf } from "./terms.ts";

/** Name of the built-in embedding. Change it whenever the vectors change. */
export const LEXICAL_MODEL = "lexical-1";

/** Weight of the preceding memory, because answers seldom repeat the words of their question. */
const BEFORE = 0.3;

/**
 * Length of a stored vector. Its numbers are whole: the cosine does not depend on the length, whole numbers are the shortest, and on LoCoMo
 * five digits find no more than one.
 */
const LENGTH = 100;

/** Factor by which a term of a query weighs less for each other term with its dimension. On LoCoMo, 5 to 100 find the same. */
const CROWDED = 10;

/**
 * Creates an embedder that needs no model: the hash of a term selects its dimension and sign (Weinberger et al. 2009, "Feature Hashing
 * for Large Scale Multitask Learning"). A term's weight is the logarithm of its count in memories, and the square of its rarity among the
 * user's memories in queries, so that the product is close to BM25. In queries, a term weighs less if its dimension also holds frequent
 * terms of the user: with 200 dimensions, that finds 1 % more among ten on LoCoMo.
 */
export function createLexicalEmbedder(dimensions: number): Embedder {
  const project = (weights: Iterable<readonly [string, number]>): Float64Array => {
    const vector = new Float64Array(dimensions);
    for (const [term, weight] of weights) {
      const hash = mixedFnv1a(term);
      const at = hash % dimensions;
      vector[at] = (vector[at] ?? 0) + (hash >>> 31 ? weight : -weight);
    }
    return vector;
  };

  const embed = ({ counts, before }: Passage): number[] => {
    const own = unit(project(logarithmic(counts)));
    if (!before || before.size === 0) return rounded(own);
    const context = unit(project(logarithmic(before)));
    return rounded(unit(own.map((value, n) => value + BEFORE * (context[n] ?? 0))));
  };

  return {
    space: { model: LEXICAL_MODEL, dimensions },
    embed: async (passages) => passages.map(embed),
    async embedQuery(text, statistics) {
      const crowd = crowdOf(statistics, dimensions);
      const weightOf = (term: string) => rarityOf(statistics, term) ** 2 / (1 + CROWDED * crowd(term));
      return rounded(unit(project([...countTerms(termsOf(text)).keys()].map((term) => [term, weightOf(term)]))));
    },
  };
}

const logarithmic = (counts: ReadonlyMap<string, number>): [string, number][] =>
  [...counts].map(([term, count]) => [term, 1 + Math.log(count)]);

function unit(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

const rounded = (vector: Float64Array): number[] => Array.from(vector, (value) => Math.round(LENGTH * value));

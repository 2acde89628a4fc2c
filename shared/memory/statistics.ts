import { mixedFnv1a } from "../hash.ts";

/**
 * Buckets of the document frequencies. With two bytes each, the item stays below 4 KB, which one read unit pays for. Terms that share a
 * bucket look more common than they are; on conversations of 3,000 terms that cost nothing measurable.
 */
const BUCKETS = 1600;

/** The largest count. It means "very common", and does not change any more. */
const SATURATED = 0xffff;

/** In how many memories of one user each term occurs, approximately. */
export interface TermStatistics {
  /** Memories counted. */
  memories: number;
  /** Terms of all memories together. */
  length: number;
  /** Memories by bucket of a term's hash, unsigned 16-bit big-endian. */
  frequencies: Uint8Array;
}

export function noStatistics(): TermStatistics {
  return {
    memories: 0,
    length: 0,
    frequencies: new Uint8Array(2 * BUCKETS),
  };
}

/** Adds memories to the statistics (`sign` 1), or subtracts them (-1). */
export function withMemories(
  statistics: TermStatistics,
  memories: Iterable<{ counts: ReadonlyMap<string, number> }>,
  sign: 1 | -1,
): TermStatistics {
  const frequencies = Uint8Array.from(statistics.frequencies);
  const view = viewOf(frequencies);
  let { memories: total, length } = statistics;
  for (const { counts } of memories) {
    total += sign;
    for (const [term, count] of counts) {
      length += sign * count;
      const at = offsetOf(term);
      const before = view.getUint16(at);
      if (before < SATURATED) view.setUint16(at, Math.max(0, before + sign));
    }
  }
  return { memories: Math.max(0, total), length: Math.max(0, length), frequencies };
}

/** Inverse document frequency, as in BM25 (Robertson & Zaragoza 2009, never negative): high for rare terms. */
export function rarityOf({ memories, frequencies }: TermStatistics, term: string): number {
  const frequency = Math.min(viewOf(frequencies).getUint16(offsetOf(term)), memories);
  return Math.log(1 + (memories - frequency + 0.5) / (frequency + 0.5));
}

/**
 * Returns a function that estimates how many other terms per memory have the dimension of a term, where a hash selects one of so many
 * dimensions. A bucket is a remainder of the same hash, so it tells the dimension if that number divides the number of buckets, and
 * otherwise a group of dimensions.
 */
export function crowdOf({ memories, frequencies }: TermStatistics, dimensions: number): (term: string) => number {
  const view = viewOf(frequencies);
  const groups = commonDivisor(BUCKETS, dimensions);
  const perMemory = groups / dimensions / Math.max(1, memories);
  const totals = new Float64Array(groups);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const group = bucket % groups;
    totals[group] = (totals[group] ?? 0) + view.getUint16(2 * bucket);
  }
  return (term) => perMemory * ((totals[mixedFnv1a(term) % groups] ?? 0) - view.getUint16(offsetOf(term)));
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

const offsetOf = (term: string): number => 2 * (mixedFnv1a(term) % BUCKETS);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * A mergeable count of distinct users: the smallest of their hashes (k minimum values: Bar-Yossef et al., "Counting Distinct Elements
 * in a Data Stream", 2002). Exact up to `CAPACITY` users, within about 2 % beyond. Hashes have 48 bits and are sorted.
 */
export type Distinct = readonly number[];

/** Maximum number of hashes. They take 12 KB, and give a standard error of 1/√2048. */
const CAPACITY = 2048;

const BYTES = 6;
const RANGE = 2 ** (8 * BYTES);

/** Merges counts, or single hashes. */
export function union(...parts: readonly Iterable<number>[]): Distinct {
  const all = new Set<number>();
  for (const part of parts) for (const hash of part) all.add(hash);
  return [...all].sort((a, b) => a - b).slice(0, CAPACITY);
}

/** Estimates the number of users. */
export function countDistinct(users: Distinct): number {
  return Math.round(estimate(users, users));
}

/** Estimates how many users are in both counts. */
export function countCommon(users: Distinct, others: Distinct): number {
  const known = new Set(others);
  const common = users.filter((hash) => known.has(hash));
  return Math.round(estimate(common, users, others));
}

/** Scales a sample up to the range of all hashes. Each set has all hashes up to its largest one. */
function estimate(sample: Distinct, ...sets: readonly Distinct[]): number {
  const bound = Math.min(...sets.map((set) => (set.length < CAPACITY ? RANGE : (set.at(-1) ?? RANGE))));
  const below = sample.filter((hash) => hash < bound).length;
  return (below * RANGE) / bound;
}

export function encodeDistinct(users: Distinct): Uint8Array {
  const bytes = Buffer.alloc(users.length * BYTES);
  for (const [n, hash] of users.entries()) bytes.writeUIntBE(hash, n * BYTES, BYTES);
  return Uint8Array.from(bytes);
}

export function decodeDistinct(bytes: Uint8Array): Distinct {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / BYTES }, (_, n) => view.readUIntBE(n * BYTES, BYTES));
}

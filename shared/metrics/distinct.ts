/**
 * How many different users there were, mergeable: the smallest hashes of all that were seen (Bar-Yossef et al.,
 * "Counting Distinct Elements in a Data Stream", 2002: k minimum values). Exact up to `CAPACITY` users, within about 2 %
 * beyond. Hashes are 48 bits, ascending.
 */
export type Distinct = readonly number[];

/** Hashes kept: 12 KB at most, and a standard error of 1/√2048. */
const CAPACITY = 2048;

const BYTES = 6;
const RANGE = 2 ** (8 * BYTES);

export function union(...parts: readonly Iterable<number>[]): Distinct {
  const all = new Set<number>();
  for (const part of parts) for (const hash of part) all.add(hash);
  return [...all].sort((a, b) => a - b).slice(0, CAPACITY);
}

/** How many there were. */
export const countDistinct = (users: Distinct): number => Math.round(estimate(users, users));

/** How many of `users` are among `others` too. */
export function countCommon(users: Distinct, others: Distinct): number {
  const known = new Set(others);
  return Math.round(
    estimate(
      users.filter((hash) => known.has(hash)),
      users,
      others,
    ),
  );
}

/** Of a sample below a bound, how many there are in all: the sets are whole below the largest hash that each kept. */
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

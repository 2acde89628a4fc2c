import { fnv1a } from "../fnv1a.ts";

/** Hashes a term to 32 bits that are all worth the same: FNV-1a with the final mix of MurmurHash3. */
export function hashOf(term: string): number {
  let hash = fnv1a(term);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

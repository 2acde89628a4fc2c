import { createHmac } from "node:crypto";

/** Hexadecimal digits of a hash: 128 bits, so that no two users have the same. */
const DIGITS = 32;

/** Hashes that are cached. */
const MAX_CACHED = 10_000;

/**
 * Returns a function that hashes users for the lake: HMAC-SHA-256 of the id. A user's hash stays the same as long as the key does.
 * Without the key, a user cannot be found by trying ids.
 */
export function createPseudonyms(key: string): (user: string) => string {
  const known = new Map<string, string>();
  return (user) => {
    let hash = known.get(user);
    if (hash === undefined) {
      if (known.size >= MAX_CACHED) known.clear();
      hash = createHmac("sha256", key).update(user).digest("hex").slice(0, DIGITS);
      known.set(user, hash);
    }
    return hash;
  };
}

import { createHmac } from "node:crypto";

/** Hexadecimal digits of a hash. With 128 bits, no two users have the same hash. */
const DIGITS = 32;

/** Maximum number of cached hashes. */
const MAX_CACHED = 10_000;

/**
 * Returns a function that hashes users for the lake: HMAC-SHA-256 of the id. A user's hash stays the same as long as the key does. Nobody
 * can find a user by hashing many ids without the key.
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

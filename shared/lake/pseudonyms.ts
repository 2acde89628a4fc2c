import { createHmac } from "node:crypto";

/** Hexadecimal digits of a user's hash: 128 bits, so that two users never share one. */
const DIGITS = 32;

/**
 * What stands for a user in the lake: an HMAC-SHA-256 of the id. The same user has the same hash as long as the key stays, and who
 * does not have the key cannot find a user by trying names.
 */
export function createPseudonyms(key: string): (user: string) => string {
  const known = new Map<string, string>();
  return (user) => {
    let hash = known.get(user);
    if (hash === undefined) {
      if (known.size >= MOST_REMEMBERED) known.clear();
      hash = createHmac("sha256", key).update(user).digest("hex").slice(0, DIGITS);
      known.set(user, hash);
    }
    return hash;
  };
}

const MOST_REMEMBERED = 10_000;

import { sha256 } from "../hash.ts";

/** Maximum characters of an encoded user in a key: S3's keys have 1,024 bytes, and the key also contains the session's id. */
const MAX_USER = 200;

const HASHED = "sha256-";

/**
 * The part of archive keys that stands for a user: the encoded id, or a hash if the id is too long or would change the path. It never
 * begins with `_` or `.`, because Athena (Trino) skips objects below such a part: that character is percent-encoded, too.
 */
export function userPart(user: string): string {
  return formerUserPart(user).replace(/^[_.]/, (first) => `%${first.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The part that earlier versions used. It differs from `userPart` only for users whose id begins with `_` or `.`. */
export function formerUserPart(user: string): string {
  const name = encodeURIComponent(user);
  // No other encoded id starts with `sha256-`, except that of a user with such a name.
  if (name.length <= MAX_USER && !/^\.+$/.test(name) && !name.startsWith(HASHED)) return name;
  return HASHED + sha256(user);
}

/** The user of a key's part: the id, or the hash that replaces it. */
export function userOfPart(part: string): string {
  return isHashed(part) ? part : decodeURIComponent(part);
}

/** Whether a key has a hash in place of the user's id. */
export function isHashed(part: string): boolean {
  return part.startsWith(HASHED);
}

import { sha256 } from "../hash.ts";

/** Characters of an encoded user in a key: S3's keys have 1,024 bytes, and a session's id needs its part of them. */
const MAX_USER = 200;

const HASHED = "sha256-";

/**
 * What stands for a user in the keys of the archive: the id, encoded, or a hash of one that is long or would be a path of its own. It
 * never begins with `_` or `.`, because Trino, and so Athena, skips objects below such a part: that character is percent-encoded too.
 */
export function userPart(user: string): string {
  return formerUserPart(user).replace(/^[_.]/, (first) => `%${first.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The part that earlier versions used. It differs from `userPart` only for users whose id begins with `_` or `.`. */
export function formerUserPart(user: string): string {
  const name = encodeURIComponent(user);
  // Nothing else that is encoded starts with `sha256-`, bar a user of that name.
  if (name.length <= MAX_USER && !/^\.+$/.test(name) && !name.startsWith(HASHED)) return name;
  return HASHED + sha256(user);
}

/** The user that a part of a key stands for, as far as it tells: the id, or the hash in its place. */
export function userOfPart(part: string): string {
  return isHashed(part) ? part : decodeURIComponent(part);
}

/** Whether what a key tells of a user is a hash. */
export function isHashed(part: string): boolean {
  return part.startsWith(HASHED);
}

import { sha256 } from "../hash.ts";

/** Maximum characters of an encoded user in a key. S3 accepts keys of 1,024 bytes, and the key also contains the session's id. */
const MAX_USER = 200;

const HASHED = "sha256-";

/**
 * Returns the part of archive keys for a user: the encoded id, or a hash if the id is too long or would change the path. A `_` or `.` at
 * its beginning is percent-encoded, because Athena (Trino) skips objects below such a part.
 */
export function userPart(user: string): string {
  return formerUserPart(user).replace(/^[_.]/, (first) => `%${first.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Returns the part that earlier versions used. It differs from `userPart` only for users whose id begins with `_` or `.`. */
export function formerUserPart(user: string): string {
  const name = encodeURIComponent(user);
  // Hash an id that begins with `sha256-` too, because it would look like the hash of another id.
  if (name.length <= MAX_USER && !/^\.+$/.test(name) && !name.startsWith(HASHED)) return name;
  return HASHED + sha256(user);
}

/** Returns the user in a key's part: the id, or the hash that replaces it. */
export function userOfPart(part: string): string {
  return isHashed(part) ? part : decodeURIComponent(part);
}

/** Whether a key has a hash in place of the user's id. */
export function isHashed(part: string): boolean {
  return part.startsWith(HASHED);
}

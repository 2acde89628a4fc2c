import { createHash } from "node:crypto";

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** Hashes the UTF-16 code units of a text to 32 bits (FNV-1a). Stored keys depend on the value. */
export function fnv1a(text: string): number {
  let hash = OFFSET_BASIS;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), PRIME);
  return hash >>> 0;
}

/** Hashes the code points of a text: differs from `fnv1a` only for characters beyond U+FFFF. */
export function fnv1aOfCodePoints(text: string): number {
  let hash = OFFSET_BASIS;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), PRIME);
  return hash >>> 0;
}

/** FNV-1a with the final mix of MurmurHash3: every bit of the hash depends on the whole text, so that `%` spreads evenly. */
export function mixedFnv1a(text: string): number {
  let hash = fnv1a(text);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** SHA-256 of a text, in hex. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * The hash of a user or a session in logs and metrics: 48 bits of SHA-256, in hex. Unlike the lake's hash it has no key, so that support can
 * find the lines about an id. It needs no secret, and lives only as long as the logs.
 */
export function hashId(id: string): string {
  return sha256(id).slice(0, 12);
}

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { S3Request } from "./request.ts";
import { notImplemented, S3Error } from "./s3-error.ts";

interface Hasher {
  update(data: Uint8Array): unknown;
  digest(): Buffer;
}

/** The checksums that this server computes. SDKs send CRC32 unless they are told otherwise. */
const algorithms = {
  CRC32: { create: createCrc32, bytes: 4 },
  SHA1: { create: () => createHash("sha1"), bytes: 20 },
  SHA256: { create: () => createHash("sha256"), bytes: 32 },
} as const satisfies Record<string, { create(): Hasher; bytes: number }>;

export type ChecksumAlgorithm = keyof typeof algorithms;

const algorithmNames = Object.keys(algorithms) as ChecksumAlgorithm[];

/** An object's checksum: over its bytes, or over the checksums of its parts (`COMPOSITE`, value ends in `-<parts>`). */
export interface Checksum {
  algorithm: ChecksumAlgorithm;
  /** Base64. */
  value: string;
  type: "FULL_OBJECT" | "COMPOSITE";
}

export function createHasher(algorithm: ChecksumAlgorithm): Hasher {
  return algorithms[algorithm].create();
}

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** The element name in documents: `ChecksumCRC32`. */
export function checksumElement(algorithm: ChecksumAlgorithm): `Checksum${ChecksumAlgorithm}` {
  return `Checksum${algorithm}`;
}

/** Throws NotImplemented for an algorithm that this server does not compute. */
export function readAlgorithm(name: string): ChecksumAlgorithm {
  const found = algorithmNames.find((algorithm) => algorithm === name.toUpperCase());
  if (!found) throw notImplemented(`the checksum algorithm ${name}`);
  return found;
}

/** The checksum in a request's headers. Throws InvalidRequest for several checksums or an invalid one. */
export function statedChecksum(request: S3Request): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const names = [...request.headers.keys()].filter((name) => /^x-amz-checksum-(?!algorithm$|mode$|type$)/.test(name));
  if (names.length > 1) throw new S3Error("InvalidRequest", "A request may have one x-amz-checksum- header only.");
  const [name] = names;
  if (name === undefined) return undefined;
  const algorithm = readAlgorithm(name.slice("x-amz-checksum-".length));
  const value = request.header(name) ?? "";
  checkDigest(algorithm, value);
  return { algorithm, value };
}

/** Throws InvalidRequest when the value is not a base64 digest of the algorithm's length. */
export function checkDigest(algorithm: ChecksumAlgorithm, value: string): void {
  if (Buffer.from(value, "base64").length !== algorithms[algorithm].bytes) {
    throw new S3Error("InvalidRequest", `Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
}

/** The algorithm of the checksum that the body's trailer will hold, from the `x-amz-trailer` header. */
export function announcedAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const trailer = request.header("x-amz-trailer")?.trim().toLowerCase();
  return trailer === undefined ? undefined : readAlgorithm(trailer.replace("x-amz-checksum-", ""));
}

/** The response headers of an object's or part's checksum. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type } : {};
}

function createCrc32(): Hasher {
  let value = 0;
  return {
    update: (data) => {
      value = crc32(data, value);
    },
    digest: () => {
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return digest;
    },
  };
}

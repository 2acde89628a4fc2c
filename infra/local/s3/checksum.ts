import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc32c, Crc64Nvme } from "@aws-sdk/checksums/crc";
import { Xxh3_64, Xxh3_128, Xxh64 } from "@aws-sdk/checksums/xxh";
import { S3Error } from "./error.ts";
import type { S3Request } from "./request.ts";

export interface Hasher {
  update(data: Uint8Array): void;
  digest(): Uint8Array | Promise<Uint8Array>;
}

interface Algorithm {
  create(): Hasher;
  /** Length of the digest in bytes. */
  bytes: number;
}

/** Every checksum of the S3 API; the header is `x-amz-checksum-<name in lower case>`. */
const algorithms = {
  CRC32: { create: createCrc32, bytes: 4 },
  CRC32C: { create: () => new Crc32c(), bytes: 4 },
  CRC64NVME: { create: () => new Crc64Nvme(), bytes: 8 },
  SHA1: { create: () => createHash("sha1"), bytes: 20 },
  SHA256: { create: () => createHash("sha256"), bytes: 32 },
  SHA512: { create: () => createHash("sha512"), bytes: 64 },
  MD5: { create: () => createHash("md5"), bytes: 16 },
  XXHASH64: { create: () => new Xxh64(), bytes: 8 },
  XXHASH3: { create: () => new Xxh3_64(), bytes: 8 },
  XXHASH128: { create: () => new Xxh3_128(), bytes: 16 },
} as const satisfies Record<string, Algorithm>;

export type ChecksumAlgorithm = keyof typeof algorithms;

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
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

/** Throws InvalidArgument when there is no such algorithm. */
export function readAlgorithm(name: string): ChecksumAlgorithm {
  const found = algorithmNames.find((algorithm) => algorithm === name.toUpperCase());
  if (!found) throw new S3Error("InvalidArgument", `Checksum algorithm ${name} is not known.`);
  return found;
}

/** The checksum that a request's headers state. Throws InvalidRequest when there are several, or one is no digest. */
export function statedChecksum(request: S3Request): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const stated = algorithmNames.flatMap((algorithm) => {
    const value = request.header(checksumHeader(algorithm));
    return value === undefined ? [] : { algorithm, value };
  });
  if (stated.length > 1) {
    throw new S3Error(
      "InvalidRequest",
      "Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.",
    );
  }
  const [first] = stated;
  if (first) checkDigest(first.algorithm, first.value);
  return first;
}

/** Throws InvalidRequest when the value is not a digest of that algorithm in base64. */
export function checkDigest(algorithm: ChecksumAlgorithm, value: string): void {
  if (Buffer.from(value, "base64").length !== algorithms[algorithm].bytes) {
    throw new S3Error("InvalidRequest", `Value for ${checksumHeader(algorithm)} header is invalid.`);
  }
}

/** The algorithm that a trailer will state, from the `x-amz-trailer` header. */
export function announcedAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const trailer = request.header("x-amz-trailer")?.trim().toLowerCase();
  return algorithmNames.find((algorithm) => checksumHeader(algorithm) === trailer);
}

/** The response headers of an object's or part's checksum. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  return checksum ? { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type } : {};
}

const algorithmNames = Object.keys(algorithms) as ChecksumAlgorithm[];

/** Node's own, which is an order of magnitude faster than JavaScript. */
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

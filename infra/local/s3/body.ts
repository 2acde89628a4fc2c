import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import { decodeChunks, incomplete } from "./decode-chunks.ts";
import type { S3Request } from "./request.ts";
import { notImplemented, S3Error } from "./s3-error.ts";
import type { Signed } from "./signature.ts";

/** The largest body of one request: 5 GiB. */
const MAX_BODY = 5 * 1024 ** 3;
/** The largest XML document in a request's body, in bytes. */
const MAX_DOCUMENT = 8 * 1024 * 1024;
/** The kind of payload that has chunks without signatures and a trailer. */
const CHUNKED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** The checksums that this server computes. SDKs send CRC32 unless they are told otherwise. */
const hashers = { crc32: createCrc32, sha256: () => createHash("sha256") };

/** The checksum of an object's bytes. */
export interface Checksum {
  algorithm: keyof typeof hashers;
  /** Base64. */
  value: string;
}

/** The size and hashes of a body that was read to its end. */
export interface Digests {
  /** Bytes. */
  size: number;
  /** Hex. */
  md5: string;
  checksum: Checksum | undefined;
}

export interface Body {
  /** Can be read once. Throws at its end when the body is not the expected one. */
  stream: AsyncIterable<Buffer>;
  /** Throws IncompleteBody when the stream was not read to its end. */
  digests(): Digests;
}

interface Expected {
  size?: number;
  /** Hex. */
  sha256?: string | undefined;
  /** The value of the checksum; undefined = the client states none. */
  checksum?(): string | undefined;
}

/** Computes the digests of a stream while it is read, and compares them with the expected ones. */
export function digesting(
  source: AsyncIterable<Buffer>,
  algorithm: Checksum["algorithm"] | undefined,
  expected: Expected = {},
): Body {
  const { size: length = Number.POSITIVE_INFINITY, sha256: wanted } = expected;
  let digests: Digests | undefined;
  async function* read(): AsyncGenerator<Buffer> {
    const md5 = createHash("md5");
    const sha256 = wanted === undefined ? undefined : createHash("sha256");
    const hasher = algorithm && hashers[algorithm]();
    let size = 0;
    for await (const data of source) {
      size += data.length;
      if (size > length) throw incomplete();
      for (const hash of [md5, sha256, hasher]) hash?.update(data);
      yield data;
    }
    if (expected.size !== undefined && size < expected.size) throw incomplete();
    if (sha256 && sha256.digest("hex") !== wanted) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    const value = hasher?.digest().toString("base64");
    const stated = expected.checksum?.();
    if (stated !== undefined && stated !== value) {
      throw new S3Error("BadDigest", `The ${algorithm} checksum does not match the one of the received bytes.`);
    }
    digests = { size, md5: md5.digest("hex"), checksum: algorithm && value ? { algorithm, value } : undefined };
  }
  return {
    stream: read(),
    digests: () => {
      if (!digests) throw incomplete();
      return digests;
    },
  };
}

/** Opens the body of a request: its payload without chunk headers, checked against the request's length, hash and checksum. */
export function openBody(request: S3Request, { payload }: Signed): Body {
  const size = expectedSize(request, payload);
  // The response uses the same connection, so it must stay open when a body is rejected.
  const raw: AsyncIterable<Buffer> = request.message.iterator({ destroyOnReturn: false });
  const sha256 = isHash(payload) ? payload : undefined;
  const header = [...request.headers.keys()].find((name) => /^x-amz-checksum-(?!algorithm$|mode$|type$)/.test(name));
  if (header) return digesting(raw, readAlgorithm(header), { size, sha256, checksum: () => request.header(header) });
  if (payload !== CHUNKED) return digesting(raw, undefined, { size, sha256 });

  const trailers = new Map<string, string>();
  const announced = request.header("x-amz-trailer")?.trim().toLowerCase();
  const checksum = () => {
    if (announced === undefined || trailers.has(announced)) return trailers.get(announced ?? "");
    throw new S3Error("MalformedTrailerError", `The announced trailer ${announced} is missing.`);
  };
  const data = decodeChunks(raw, (name, value) => trailers.set(name, value));
  return digesting(data, announced === undefined ? undefined : readAlgorithm(announced), { size, checksum });
}

/** Reads an XML document. Throws EntityTooLarge for one of more than 8 MiB. */
export async function readDocument(request: S3Request, signed: Signed): Promise<string> {
  if (expectedSize(request, signed.payload) > MAX_DOCUMENT) {
    throw new S3Error("EntityTooLarge", `The document is larger than ${MAX_DOCUMENT} bytes.`);
  }
  return await text(openBody(request, signed).stream);
}

/** The response header of a checksum. */
export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (!checksum) return {};
  return { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value, "x-amz-checksum-type": "FULL_OBJECT" };
}

/** The algorithm in the name of a checksum header. Throws NotImplemented for one that this server does not compute. */
function readAlgorithm(header: string): Checksum["algorithm"] {
  const name = header.replace("x-amz-checksum-", "");
  if (name === "crc32" || name === "sha256") return name;
  throw notImplemented(`the checksum algorithm ${name}`);
}

function isHash(payload: string): boolean {
  return /^[0-9a-f]{64}$/.test(payload);
}

function expectedSize(request: S3Request, payload: string): number {
  if (payload !== CHUNKED && payload !== "UNSIGNED-PAYLOAD" && !isHash(payload)) {
    throw notImplemented(`x-amz-content-sha256: ${payload}`);
  }
  const header = payload === CHUNKED ? "x-amz-decoded-content-length" : "content-length";
  const length = request.header(header);
  if (length === undefined) {
    // A request without a body may omit its length. A request in HTTP chunks must state it.
    if (payload !== CHUNKED && request.header("transfer-encoding") === undefined) return 0;
    throw new S3Error("MissingContentLength", `You must provide the ${header} HTTP header.`);
  }
  if (!/^\d{1,15}$/.test(length)) throw new S3Error("InvalidArgument", `${header} must be a number.`);
  if (Number(length) > MAX_BODY) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
  }
  return Number(length);
}

function createCrc32() {
  let value = 0;
  return {
    update(data: Uint8Array) {
      value = crc32(data, value);
    },
    digest() {
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return digest;
    },
  };
}

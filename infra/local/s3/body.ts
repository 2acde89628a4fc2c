import { createHash } from "node:crypto";
import {
  announcedAlgorithm,
  type Checksum,
  type ChecksumAlgorithm,
  checkDigest,
  checksumHeader,
  createHasher,
  readAlgorithm,
  statedChecksum,
} from "./checksum.ts";
import { decodeChunks, incomplete } from "./chunked.ts";
import type { S3Request } from "./request.ts";
import { notImplemented, S3Error } from "./s3-error.ts";
import type { Signed } from "./signature.ts";

/** The largest body of one request: 5 GiB. */
const MAX_BODY = 5 * 1024 ** 3;
/** The largest XML document in a request's body, in bytes. */
const MAX_DOCUMENT = 8 * 1024 * 1024;
/** The kind of payload that has chunks without signatures and a trailer. */
const CHUNKED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** The size and hashes of a body that was read to its end. */
export interface Digests {
  /** Bytes. */
  size: number;
  md5: Buffer;
  checksum: Checksum | undefined;
}

export interface Body {
  /** Can be read once. */
  stream: AsyncIterable<Buffer>;
  /** Throws IncompleteBody when the stream was not read to its end. */
  digests(): Digests;
}

/** Computes the digests of a stream while it is read. */
export function digesting(source: AsyncIterable<Buffer>, algorithm: ChecksumAlgorithm | undefined): Body {
  let digests: Digests | undefined;
  async function* read(): AsyncGenerator<Buffer> {
    const md5 = createHash("md5");
    const hasher = algorithm && createHasher(algorithm);
    let size = 0;
    for await (const data of source) {
      size += data.length;
      md5.update(data);
      hasher?.update(data);
      yield data;
    }
    const value = hasher?.digest().toString("base64");
    const checksum: Checksum | undefined = algorithm && value ? { algorithm, value, type: "FULL_OBJECT" } : undefined;
    digests = { size, md5: md5.digest(), checksum };
  }
  return {
    stream: read(),
    digests: () => {
      if (!digests) throw incomplete();
      return digests;
    },
  };
}

/**
 * Opens the body of a request: its payload without chunk headers. The stream throws at its end when the length, hash or
 * checksum does not match.
 *
 * @param algorithm The checksum that the body must have, computed even when the client states none.
 */
export function openBody(request: S3Request, signed: Signed, algorithm?: ChecksumAlgorithm): Body {
  const expected = expectedSize(request, signed);
  const stated = statedChecksum(request);
  const announced = announcedAlgorithm(request);
  const wanted = stated?.algorithm ?? announced ?? algorithm ?? sdkAlgorithm(request);
  if (algorithm && wanted !== algorithm) {
    throw new S3Error(
      "InvalidRequest",
      `The upload uses ${algorithm} checksums, but this part has a ${wanted} checksum.`,
    );
  }
  // The response uses the same connection, so it must stay open when a body is rejected.
  const raw: AsyncIterable<Buffer> = request.message.iterator({ destroyOnReturn: false });
  let trailing: string | undefined;
  const payload =
    signed.payload === CHUNKED
      ? decodeChunks(raw, (name, value) => {
          if (announced && name === checksumHeader(announced)) trailing = value;
        })
      : raw;
  const body = digesting(payload, wanted);
  async function* verified(): AsyncGenerator<Buffer> {
    const sha256 = isHash(signed.payload) ? createHash("sha256") : undefined;
    let size = 0;
    for await (const data of body.stream) {
      size += data.length;
      if (size > expected) throw incomplete();
      sha256?.update(data);
      yield data;
    }
    if (size !== expected) throw incomplete();
    if (sha256 && sha256.digest("hex") !== signed.payload) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    if (announced && trailing === undefined) {
      throw new S3Error("MalformedTrailerError", `The announced trailer ${checksumHeader(announced)} is missing.`);
    }
    checkStated(body.digests().checksum, stated?.value ?? trailing);
  }
  return { stream: verified(), digests: body.digests };
}

/** Reads an XML document. Throws EntityTooLarge for one of more than 8 MiB. */
export async function readDocument(request: S3Request, signed: Signed): Promise<string> {
  if (expectedSize(request, signed) > MAX_DOCUMENT) {
    throw new S3Error("EntityTooLarge", `The document is larger than ${MAX_DOCUMENT} bytes.`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of openBody(request, signed).stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function isHash(payload: string): boolean {
  return /^[0-9a-f]{64}$/.test(payload);
}

function expectedSize(request: S3Request, { payload }: Signed): number {
  if (payload !== CHUNKED && payload !== "UNSIGNED-PAYLOAD" && !isHash(payload)) {
    throw notImplemented(`x-amz-content-sha256: ${payload}`);
  }
  const header = payload === CHUNKED ? "x-amz-decoded-content-length" : "content-length";
  const text = request.header(header);
  if (text === undefined) {
    // A request without a body may omit its length. A request in HTTP chunks must state it.
    if (payload !== CHUNKED && request.header("transfer-encoding") === undefined) return 0;
    throw new S3Error("MissingContentLength", `You must provide the ${header} HTTP header.`);
  }
  if (!/^\d{1,15}$/.test(text)) throw new S3Error("InvalidArgument", `${header} must be a number.`);
  if (Number(text) > MAX_BODY) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
  }
  return Number(text);
}

function sdkAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const name = request.header("x-amz-sdk-checksum-algorithm");
  return name ? readAlgorithm(name) : undefined;
}

function checkStated(checksum: Checksum | undefined, stated: string | undefined): void {
  if (!checksum || stated === undefined) return;
  checkDigest(checksum.algorithm, stated);
  if (stated !== checksum.value) {
    throw new S3Error("BadDigest", `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
  }
}

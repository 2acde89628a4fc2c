import { createHash } from "node:crypto";
import {
  announcedAlgorithm,
  type Checksum,
  type ChecksumAlgorithm,
  checkDigest,
  checksumHeader,
  readAlgorithm,
  statedChecksum,
} from "./checksum.ts";
import { decodeChunks, incomplete } from "./chunked.ts";
import { type Body, digesting } from "./digest.ts";
import { notImplemented, S3Error } from "./error.ts";
import type { S3Request } from "./request.ts";
import type { Signed } from "./signature.ts";

/** Largest body of one request: 5 GiB. */
const MAX_BODY = 5 * 1024 ** 3;
/** Largest document in a request's body. */
const MAX_DOCUMENT = 8 * 1024 * 1024;

interface BodyOptions {
  /** The checksum to compute even when the client states none. */
  algorithm?: ChecksumAlgorithm | undefined;
  /** Whether `x-amz-checksum-…` headers speak of something else than the body. @default false */
  unrelatedChecksum?: boolean;
}

/**
 * Opens the body of a request: its payload without framing. The stream throws at its end when a length, hash, checksum
 * or signature does not fit.
 */
export function openBody(request: S3Request, signed: Signed, options: BodyOptions = {}): Body {
  const { algorithm, unrelatedChecksum = false } = options;
  const expected = expectedSize(request, signed);
  const stated = unrelatedChecksum ? undefined : statedChecksum(request);
  const announced = announcedAlgorithm(request);
  const wanted = stated?.algorithm ?? announced ?? algorithm ?? sdkAlgorithm(request);
  if (algorithm && wanted !== algorithm) {
    throw new S3Error(
      "InvalidRequest",
      `Checksum Type mismatch occurred, expected checksum Type: ${algorithm}, actual checksum Type: ${wanted}`,
    );
  }
  const contentMd5 = readContentMd5(request);
  let trailing: string | undefined;
  const payload = readPayload(request, signed, (name, value) => {
    if (announced && name === checksumHeader(announced)) trailing = value;
  });
  const body = digesting(payload, wanted);
  async function* verified(): AsyncGenerator<Buffer> {
    const sha256 = /^[0-9a-f]{64}$/.test(signed.payload) ? createHash("sha256") : undefined;
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
    const { md5, checksum } = body.digests();
    if (contentMd5 && !contentMd5.equals(md5)) {
      throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.");
    }
    if (announced && trailing === undefined) {
      throw new S3Error("MalformedTrailerError", `The announced trailer ${checksumHeader(announced)} is missing.`);
    }
    checkStated(checksum, stated?.value ?? trailing);
  }
  return { stream: verified(), digests: body.digests };
}

async function* readPayload(
  request: S3Request,
  signed: Signed,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Buffer> {
  request.accept();
  // The connection has to outlive a body that is refused: the answer goes over it.
  const raw: AsyncIterable<Buffer> = request.message.iterator({ destroyOnReturn: false });
  yield* isFramed(signed) ? decodeChunks(raw, signed, onTrailer) : raw;
}

/** Reads a document of a few megabytes at most. */
export async function readDocument(request: S3Request, signed: Signed, options: BodyOptions = {}): Promise<string> {
  if (expectedSize(request, signed) > MAX_DOCUMENT) {
    throw new S3Error("EntityTooLarge", "Your request's document exceeds the maximum allowed size");
  }
  const chunks: Buffer[] = [];
  for await (const chunk of openBody(request, signed, options).stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function isFramed(signed: Signed): boolean {
  return signed.payload.startsWith("STREAMING-");
}

const framings = [
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];

function expectedSize(request: S3Request, signed: Signed): number {
  if (isFramed(signed) && !framings.includes(signed.payload)) {
    throw notImplemented(signed.payload);
  }
  const header = isFramed(signed) ? "x-amz-decoded-content-length" : "content-length";
  const text = request.header(header);
  if (text === undefined) {
    // A request without a body may leave its length out; one in HTTP chunks has to say it.
    if (!isFramed(signed) && request.header("transfer-encoding") === undefined) return 0;
    throw new S3Error("MissingContentLength", `You must provide the ${header} HTTP header.`);
  }
  const size = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(size)) throw new S3Error("InvalidArgument", `${header} is no number.`);
  if (size > MAX_BODY) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
  }
  return size;
}

function sdkAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const name = request.header("x-amz-sdk-checksum-algorithm");
  return name ? readAlgorithm(name) : undefined;
}

function readContentMd5(request: S3Request): Buffer | undefined {
  const text = request.header("content-md5");
  if (text === undefined) return undefined;
  const digest = Buffer.from(text, "base64");
  if (digest.length !== 16) throw new S3Error("InvalidDigest", "The Content-MD5 you specified is not valid.");
  return digest;
}

function checkStated(checksum: Checksum | undefined, stated: string | undefined): void {
  if (!checksum || stated === undefined) return;
  checkDigest(checksum.algorithm, stated);
  if (stated !== checksum.value) {
    throw new S3Error("BadDigest", `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
  }
}

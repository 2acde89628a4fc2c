import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { S3Error } from "./error.ts";
import type { S3Request } from "./request.ts";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** A verified request: who signed it, and what its body still has to be verified against. */
export interface Signed {
  accessKeyId: string;
  /** What `x-amz-content-sha256` says: a hash in hex, `UNSIGNED-PAYLOAD`, or one of the `STREAMING-…` kinds. */
  payload: string;
  /** Signs the chunks of a signed stream. */
  sign(text: string): string;
  /** `20261121T120000Z` */
  time: string;
  scope: string;
  signature: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
/** Milliseconds by which a client's clock may differ. */
const MAX_SKEW = 15 * 60_000;
/** Seconds for which a presigned URL may be valid. */
const MAX_EXPIRES = 7 * 86_400;

interface Claim {
  credential: string;
  time: string;
  signedHeaders: string[];
  signature: string;
  payload: string;
}

/**
 * Verifies Signature Version 4, in the `Authorization` header or a presigned URL
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
 * Throws the S3 error that says what is wrong with it.
 */
export function verifySignature(
  request: S3Request,
  secretOf: (accessKeyId: string) => string | undefined,
  now: Date,
): Signed {
  const claim = request.query.has("X-Amz-Signature") ? readPresigned(request, now) : readHeader(request, now);
  const [accessKeyId = "", date = "", region = "", service = "", end = "", ...rest] = claim.credential.split("/");
  if (rest.length > 0 || service !== "s3" || end !== "aws4_request" || date !== claim.time.slice(0, 8)) {
    throw new S3Error(
      "AuthorizationHeaderMalformed",
      "The credential must be <access key>/<date>/<region>/s3/aws4_request, with the date of the request.",
    );
  }
  const secret = secretOf(accessKeyId);
  if (secret === undefined) {
    throw new S3Error("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
  }
  checkSignedHeaders(request, claim.signedHeaders);
  const scope = `${date}/${region}/s3/aws4_request`;
  const key = signingKey(secret, date, region);
  const sign = (text: string): string => createHmac("sha256", key).update(text).digest("hex");
  const canonical = canonicalRequest(request, claim);
  const hash = createHash("sha256").update(canonical).digest("hex");
  const expected = sign([ALGORITHM, claim.time, scope, hash].join("\n"));
  if (!sameText(expected, claim.signature)) {
    throw new S3Error(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      { elements: { CanonicalRequest: canonical } },
    );
  }
  return { accessKeyId, payload: claim.payload, sign, time: claim.time, scope, signature: expected };
}

/** The last key made: clients use the same for a day, and making it costs as much as the rest of the verification. */
let lastKey: { name: string; key: KeyObject } | undefined;

function signingKey(secret: string, date: string, region: string): KeyObject {
  const name = [secret, date, region].join("/");
  if (lastKey?.name === name) return lastKey.key;
  const key = [date, region, "s3", "aws4_request"].reduce<string | Buffer>(
    (previous, part) => createHmac("sha256", previous).update(part).digest(),
    `AWS4${secret}`,
  );
  lastKey = { name, key: createSecretKey(Buffer.from(key)) };
  return lastKey.key;
}

/** Compares without telling by the time it takes how far two texts agree. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function readHeader(request: S3Request, now: Date): Claim {
  const header = request.header("authorization");
  if (!header) throw new S3Error("AccessDenied", "Access Denied");
  const [, fields] = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(header) ?? [];
  if (fields === undefined) {
    throw new S3Error(
      "InvalidRequest",
      `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`,
    );
  }
  const field = (name: string): string => {
    const value = new RegExp(`(?:^|,)\\s*${name}=([^,]+)`).exec(fields)?.[1];
    if (!value) throw new S3Error("AuthorizationHeaderMalformed", `The authorization header lacks ${name}.`);
    return value.trim();
  };
  const time = request.header("x-amz-date") ?? "";
  if (Math.abs(now.getTime() - readTime(time)) > MAX_SKEW) {
    throw new S3Error(
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
    );
  }
  const payload = request.header("x-amz-content-sha256");
  if (!payload) throw new S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  return {
    credential: field("Credential"),
    time,
    signedHeaders: field("SignedHeaders").split(";"),
    signature: field("Signature"),
    payload,
  };
}

function readPresigned({ query }: S3Request, now: Date): Claim {
  const field = (name: string): string => {
    const value = query.get(name);
    if (!value) {
      throw new S3Error("AuthorizationQueryParametersError", `Query-string authentication requires ${name}.`);
    }
    return value;
  };
  if (field("X-Amz-Algorithm") !== ALGORITHM) {
    throw new S3Error("AuthorizationQueryParametersError", `X-Amz-Algorithm only supports ${ALGORITHM}.`);
  }
  const time = field("X-Amz-Date");
  const expires = Number(field("X-Amz-Expires"));
  if (!Number.isInteger(expires) || expires < 1 || expires > MAX_EXPIRES) {
    throw new S3Error("AuthorizationQueryParametersError", `X-Amz-Expires must be from 1 to ${MAX_EXPIRES} seconds.`);
  }
  const age = now.getTime() - readTime(time);
  if (age > expires * 1000) throw new S3Error("AccessDenied", "Request has expired");
  if (age < -MAX_SKEW) throw new S3Error("AccessDenied", "Request is not yet valid");
  return {
    credential: field("X-Amz-Credential"),
    time,
    signedHeaders: field("X-Amz-SignedHeaders").split(";"),
    signature: field("X-Amz-Signature"),
    payload: query.get("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD",
  };
}

/** Milliseconds since 1970 of `20261121T120000Z`. */
function readTime(text: string): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const time = parts ? Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`) : NaN;
  if (Number.isNaN(time)) {
    throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  }
  return time;
}

/** What is not signed could be added on the way: S3 refuses such `x-amz-*` headers, and so do we. */
function checkSignedHeaders({ message }: S3Request, signed: string[]): void {
  const loose = Object.keys(message.headers).find((name) => name.startsWith("x-amz-") && !signed.includes(name));
  if (loose || !signed.includes("host")) {
    throw new S3Error("AccessDenied", "There were headers present in the request which were not signed", {
      elements: { HeadersNotSigned: loose ?? "host" },
    });
  }
}

function canonicalRequest({ method, rawPath, query, message }: S3Request, claim: Claim): string {
  const pairs = [...query]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const headers = claim.signedHeaders.map(
    (name) => `${name}:${(message.headersDistinct[name] ?? []).join(",").trim().replace(/ +/g, " ")}\n`,
  );
  return [
    method,
    rawPath
      .split("/")
      .map((part) => encode(decodeURIComponent(part)))
      .join("/"),
    pairs.join("&"),
    headers.join(""),
    claim.signedHeaders.join(";"),
    claim.payload,
  ].join("\n");
}

/** Percent-encodes everything but RFC 3986's unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

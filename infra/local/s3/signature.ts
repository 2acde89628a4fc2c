import { timingSafeEqual } from "node:crypto";
import { encode, signatureOf } from "../iam/signature-v4.ts";
import { isPresigned, type S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** A request whose signature was verified. */
export interface Signed {
  accessKeyId: string;
  /** The value of `x-amz-content-sha256`: a hash in hex, `UNSIGNED-PAYLOAD`, or a `STREAMING-…` kind. */
  payload: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
/** The largest difference between the client's clock and this one, in milliseconds. */
const MAX_SKEW = 15 * 60_000;
/** The longest lifetime of a presigned URL, in seconds. */
const MAX_EXPIRES = 7 * 86_400;

interface Claim {
  credential: string;
  /** `20261121T120000Z` */
  time: string;
  signedHeaders: string[];
  signature: string;
  payload: string;
}

/**
 * Verifies Signature Version 4, in the `Authorization` header or a presigned URL
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
 * Throws the S3 error that says what is wrong with the signature.
 */
export function verifySignature(
  request: S3Request,
  secretOf: (accessKeyId: string) => string | undefined,
  now: number,
): Signed {
  const { method, rawPath, query, message } = request;
  const claim = isPresigned(query) ? readPresigned(request, now) : readHeader(request, now);
  const [accessKeyId = "", ...parts] = claim.credential.split("/");
  const [scope, date] = [parts.join("/"), claim.time.slice(0, 8)];
  if (!/^\d+\/[^/]+\/s3\/aws4_request$/.test(scope) || parts[0] !== date) {
    throw new S3Error(
      "AuthorizationHeaderMalformed",
      "The credential must be <access key>/<date>/<region>/s3/aws4_request, with the date of the request.",
    );
  }
  const secret = secretOf(accessKeyId);
  if (secret === undefined) {
    throw new S3Error("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
  }
  // S3 rejects unsigned x-amz-* headers, because another party could have added them.
  const mustBeSigned = ["host", ...Object.keys(message.headers).filter((name) => name.startsWith("x-amz-"))];
  const unsigned = mustBeSigned.find((name) => !claim.signedHeaders.includes(name));
  if (unsigned) throw new S3Error("AccessDenied", `The signature must cover the header ${unsigned}.`);

  const headers = claim.signedHeaders.map((name) => [name, (message.headersDistinct[name] ?? []).join(",")]);
  const signable = {
    method,
    path: rawPath
      .split("/")
      .map((part) => encode(decodeURIComponent(part)))
      .join("/"),
    query: [...query].filter(([name]) => name !== "X-Amz-Signature"),
    headers: Object.fromEntries(headers) as Record<string, string>,
    payload: claim.payload,
  };
  const expected = Buffer.from(signatureOf(signable, claim.time, scope, secret));
  const given = Buffer.from(claim.signature);
  // Compares in constant time, so that the time does not tell how many characters agree.
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new S3Error(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    );
  }
  return { accessKeyId, payload: claim.payload };
}

function readHeader(request: S3Request, now: number): Claim {
  const header = request.header("authorization");
  if (!header) throw new S3Error("AccessDenied", "Access Denied");
  if (!header.startsWith(`${ALGORITHM} `)) {
    throw new S3Error("InvalidRequest", `The authorization mechanism is not supported. Please use ${ALGORITHM}.`);
  }
  const field = (name: string): string => {
    const value = new RegExp(`[ ,]${name}=([^,]+)`).exec(header)?.[1];
    if (!value) throw new S3Error("AuthorizationHeaderMalformed", `The authorization header lacks ${name}.`);
    return value.trim();
  };
  const time = request.header("x-amz-date") ?? "";
  if (Math.abs(now - readTime(time)) > MAX_SKEW) {
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

function readPresigned({ query }: S3Request, now: number): Claim {
  const field = (name: string): string => {
    const value = query.get(name);
    if (value) return value;
    throw new S3Error("AuthorizationQueryParametersError", `Query-string authentication requires ${name}.`);
  };
  const time = field("X-Amz-Date");
  const expires = Number(field("X-Amz-Expires"));
  if (field("X-Amz-Algorithm") !== ALGORITHM || !(expires >= 1 && expires <= MAX_EXPIRES)) {
    throw new S3Error(
      "AuthorizationQueryParametersError",
      `X-Amz-Algorithm must be ${ALGORITHM}, and X-Amz-Expires from 1 to ${MAX_EXPIRES} seconds.`,
    );
  }
  const age = now - readTime(time);
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
  const time = Date.parse(text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, "$1-$2-$3:$4:$5"));
  if (Number.isFinite(time)) return time;
  throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
}

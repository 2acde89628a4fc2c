import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { REGION } from "../assembly/physical.ts";
import type { Credentials } from "../lambda/environment.ts";

/** A request to sign. Names of headers are in lower case. */
interface Signable {
  method: string;
  /** Percent-encoded. */
  path: string;
  /** Names and values, decoded, in any order. */
  query?: Iterable<readonly [name: string, value: string]>;
  /** The headers that the signature covers. */
  headers: Readonly<Record<string, string>>;
  /** The SHA-256 of the body in hex, or the value of `x-amz-content-sha256`. */
  payload: string;
}

/**
 * Computes the Signature Version 4 of a request, in hex.
 *
 * @param time When the request was signed: `20261121T120000Z`.
 * @param scope `<date>/<region>/<service>/aws4_request`
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signatureOf(
  { method, path, query = [], headers, payload }: Signable,
  time: string,
  scope: string,
  secretAccessKey: string,
): string {
  const pairs = [...query]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim().replace(/ +/g, " ")}\n`);
  const canonical = [method, path, pairs.join("&"), lines.join(""), names.join(";"), payload].join("\n");
  const key = scope.split("/").reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
  return hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
}

/**
 * Signs a request for an engine that is not the host's own and gives the `Authorization` header: such an engine knows the
 * user's credentials but not those of functions. The headers must include `host` and `x-amz-date`.
 */
export function authorization(
  request: Signable,
  service: string,
  { accessKeyId, secretAccessKey }: Credentials,
): string {
  const time = request.headers["x-amz-date"] ?? "";
  const scope = `${time.slice(0, 8)}/${REGION}/${service}/aws4_request`;
  const signature = signatureOf(request, time, scope, secretAccessKey);
  const names = Object.keys(request.headers).sort().join(";");
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

/** The access key in the signature of a request. Empty when the request is not signed. */
export function accessKeyOf({ headers }: IncomingMessage): string {
  return /Credential=([^/,\s]+)/.exec(headers.authorization ?? "")?.[1] ?? "";
}

/** Percent-encodes every character but RFC 3986's unreserved ones. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The SHA-256 of the data, in hex. */
export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

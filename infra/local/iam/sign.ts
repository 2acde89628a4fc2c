import { createHash, createHmac } from "node:crypto";
import { REGION } from "../assembly/physical.ts";
import type { Credentials } from "../lambda/environment.ts";

/** A request to sign. Names of headers are in lower case; path and query are encoded as they are sent. */
export interface Signable {
  method: string;
  path: string;
  /** Pairs that are encoded, in any order. */
  query?: readonly string[];
  /** The headers that the signature covers. They must have `host` and `x-amz-date`. */
  headers: Readonly<Record<string, string>>;
  /** The SHA-256 of the body in hex, or what `x-amz-content-sha256` says in its place. */
  payload: string;
}

/**
 * Signs a request with Signature Version 4 and gives the `Authorization` header: engines that are not the host's own know the user's credentials,
 * not those of functions. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function authorization(
  { method, path, query = [], headers, payload }: Signable,
  service: string,
  { accessKeyId, secretAccessKey }: Credentials,
): string {
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim().replace(/ +/g, " ")}\n`);
  const canonical = [method, path, [...query].sort().join("&"), lines.join(""), names.join(";"), payload].join("\n");
  const time = headers["x-amz-date"] ?? "";
  const scope = `${time.slice(0, 8)}/${REGION}/${service}/aws4_request`;
  const key = scope.split("/").reduce<Buffer | string>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
  const signature = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

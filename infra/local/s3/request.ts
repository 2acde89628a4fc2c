import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { S3Error } from "./s3-error.ts";

/** A request whose headers were read. Its body was not read yet. */
export interface S3Request {
  /** The request id of the answer. */
  id: string;
  method: string;
  /** The path as sent, not decoded. The signature covers it. */
  rawPath: string;
  /** The query, decoded. */
  query: ReadonlyMap<string, string>;
  /** Empty when the path names none. */
  bucket: string;
  /** Empty when the path names none. */
  key: string;
  /** By lower-case name. Includes the `x-amz-*` headers that a presigned URL carries in its query. */
  headers: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
  message: IncomingMessage;
}

export interface S3Response {
  status: number;
  headers?: Readonly<Record<string, string | undefined>>;
  body?: string | Buffer | Readable;
}

/** The longest object key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Reads the request line and headers, with path-style URLs (`/bucket/key`). Throws InvalidURI or KeyTooLongError. */
export function readRequest(message: IncomingMessage): S3Request {
  const [, rawPath = "", search = ""] = /^([^?]*)\??(.*)$/s.exec(message.url ?? "") ?? [];
  const [, bucket, key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(rawPath) ?? [];
  if (bucket === undefined) throw new S3Error("InvalidURI", "The path of the URL must begin with a slash.");
  const query = new Map(new URLSearchParams(search));
  const headers = readHeaders(message, query);
  return {
    id: randomBytes(8).toString("hex").toUpperCase(),
    method: message.method ?? "GET",
    rawPath,
    query,
    bucket: decode(bucket),
    key: checkKey(decode(key)),
    headers,
    header: (name) => headers.get(name),
    message,
  };
}

/** Whether the request's URL carries the signature. */
export function isPresigned(query: ReadonlyMap<string, string>): boolean {
  return query.has("X-Amz-Signature");
}

function readHeaders(message: IncomingMessage, query: Map<string, string>): Map<string, string> {
  // Ignores a checksum in the query, as S3 does: the SDK adds the checksum of an empty body to every presigned PUT.
  const hoisted = isPresigned(query) ? [...query].filter(([name]) => /^x-amz-(?!checksum-|sdk-)/i.test(name)) : [];
  const own = Object.entries(message.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Map([...hoisted.map(([name, value]): [string, string] => [name.toLowerCase(), value]), ...own]);
}

/** Returns the key. Throws KeyTooLongError. */
export function checkKey(key: string): string {
  if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  throw new S3Error("KeyTooLongError", `The key is longer than ${MAX_KEY_BYTES} bytes.`);
}

/** Decodes a percent-encoded part of a URL. Throws InvalidURI. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "The URL has an invalid percent-encoding.");
  }
}

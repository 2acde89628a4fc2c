import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { S3Error } from "./error.ts";

/** A request, read as far as its headers. */
export interface S3Request {
  /** The request id of the answer. */
  id: string;
  method: string;
  /** The path as sent, before any decoding: what the signature covers. */
  rawPath: string;
  /** The query as sent, decoded. */
  query: ReadonlyMap<string, string>;
  bucket: string | undefined;
  key: string | undefined;
  /** By lower-case name. Presigned URLs carry `x-amz-*` headers in the query, where they count the same. */
  headers: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
  message: IncomingMessage;
  /** Tells a client that waits (`Expect: 100-continue`) to send the body. */
  accept(): void;
  /** Whether the client still waits for that. */
  isWaiting(): boolean;
}

export interface S3Response {
  status: number;
  headers?: Readonly<Record<string, string | undefined>>;
  body?: string | Buffer | Readable;
}

/** Longest object key, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

/** Reads the request line and headers. Throws InvalidURI or KeyTooLongError. */
export function readRequest(message: IncomingMessage, response: ServerResponse): S3Request {
  const url = message.url ?? "";
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const query = readQuery(mark < 0 ? "" : url.slice(mark + 1));
  if (!rawPath.startsWith("/")) throw new S3Error("InvalidURI", "Couldn't parse the specified URI.");
  const { bucket, key } = locate(message.headers.host ?? "", rawPath);
  const headers = readHeaders(message, query);
  let waiting = message.headers.expect !== undefined;
  return {
    id: randomBytes(8).toString("hex").toUpperCase(),
    method: message.method ?? "GET",
    rawPath,
    query,
    bucket,
    key,
    headers,
    header: (name) => headers.get(name),
    message,
    accept: () => {
      if (waiting) response.writeContinue();
      waiting = false;
    },
    isWaiting: () => waiting,
  };
}

function readHeaders(message: IncomingMessage, query: Map<string, string>): Map<string, string> {
  // A checksum in the query is passed over, as S3 does: the SDK puts that of an empty body into every presigned PUT.
  const hoisted = query.has("X-Amz-Signature")
    ? [...query].filter(([name]) => /^x-amz-(?!checksum-|sdk-)/i.test(name))
    : [];
  const own = Object.entries(message.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Map([...hoisted.map(([name, value]): [string, string] => [name.toLowerCase(), value]), ...own]);
}

/** Path style (`/bucket/key`) on the bare host, virtual-host style (`bucket.localhost/key`) below it. */
function locate(host: string, rawPath: string): { bucket: string | undefined; key: string | undefined } {
  const name = host.replace(/:\d+$/, "");
  const virtual = /^(.+?)(?:\.s3)?\.(?:127\.0\.0\.1|localhost)$/.exec(name)?.[1];
  if (virtual !== undefined && virtual !== "s3") return { bucket: virtual, key: readKey(rawPath.slice(1)) };
  const slash = rawPath.indexOf("/", 1);
  const bucket = decode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  return { bucket: bucket || undefined, key: slash < 0 ? undefined : readKey(rawPath.slice(slash + 1)) };
}

function readKey(raw: string): string | undefined {
  const key = decode(raw);
  checkKey(key);
  return key || undefined;
}

/** Throws KeyTooLongError. */
export function checkKey(key: string): void {
  const size = Buffer.byteLength(key);
  if (size > MAX_KEY_BYTES) {
    throw new S3Error("KeyTooLongError", "Your key is too long", {
      elements: { Size: String(size), MaxSizeAllowed: String(MAX_KEY_BYTES) },
    });
  }
}

function readQuery(text: string): Map<string, string> {
  const pairs = text.split("&").filter(Boolean);
  return new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [decode(pair), ""] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
    }),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "Couldn't parse the specified URI.");
  }
}

import type { Metadata } from "./objects.ts";
import type { S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** The largest user metadata of an object, in bytes: names and values. */
const MAX_USER_METADATA = 2048;

const systemHeaders = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
];

/** Reads the metadata of an object from the headers of a PutObject, CopyObject or CreateMultipartUpload. */
export function readMetadata(request: S3Request): Metadata {
  const headers: Record<string, string> = { "content-type": "binary/octet-stream" };
  for (const name of systemHeaders) {
    const value = request.header(name);
    if (value) headers[name] = value;
  }
  // `aws-chunked` is the encoding of the transfer, not of the object.
  const encodings = (headers["content-encoding"] ?? "").split(",").map((part) => part.trim());
  const kept = encodings.filter((encoding) => encoding !== "" && encoding !== "aws-chunked");
  delete headers["content-encoding"];
  if (kept.length > 0) headers["content-encoding"] = kept.join(",");
  return { headers, user: readUserMetadata(request) };
}

function readUserMetadata({ headers }: S3Request): Record<string, string> {
  const entries = [...headers]
    .filter(([name]) => name.startsWith("x-amz-meta-"))
    .map(([name, value]): [string, string] => [name.slice("x-amz-meta-".length), value]);
  const size = entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (size > MAX_USER_METADATA) {
    throw new S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
  }
  return Object.fromEntries(entries);
}

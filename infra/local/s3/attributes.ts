import { notImplemented, S3Error } from "./error.ts";
import type { Metadata, Tag } from "./objects.ts";
import type { S3Request } from "./request.ts";

/** Most bytes of user metadata, names and values. */
const MAX_USER_METADATA = 2048;
const MAX_TAGS = 10;

const kept = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
  "x-amz-website-redirect-location",
  "x-amz-server-side-encryption",
];

const storageClasses = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
];

/** What the headers of a PutObject, CopyObject or CreateMultipartUpload say about the object. */
export interface Attributes {
  metadata: Metadata;
  storageClass: string;
  tags: Tag[];
}

/** Throws NotImplemented for headers whose effect would be missing: locks, customer keys, access lists. */
export function readAttributes(request: S3Request): Attributes {
  refuseUnsupported(request);
  const headers: Record<string, string> = { "content-type": "binary/octet-stream" };
  for (const name of kept) {
    const value = request.header(name);
    if (value) headers[name] = value;
  }
  // `aws-chunked` was about the transfer, not about the object.
  const encoding = (headers["content-encoding"] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "aws-chunked");
  delete headers["content-encoding"];
  if (encoding.length > 0) headers["content-encoding"] = encoding.join(",");
  return {
    metadata: { headers, user: readUserMetadata(request) },
    storageClass: checkStorageClass(request.header("x-amz-storage-class") ?? "STANDARD"),
    tags: readTagging(request.header("x-amz-tagging") ?? ""),
  };
}

/** Throws InvalidStorageClass. */
export function checkStorageClass(name: string): string {
  if (storageClasses.includes(name)) return name;
  throw new S3Error("InvalidStorageClass", "The storage class you specified is not valid");
}

/** Throws InvalidTag. */
export function checkTags(tags: Tag[]): Tag[] {
  const fault =
    tags.length > MAX_TAGS
      ? `Object tags cannot be greater than ${MAX_TAGS}`
      : new Set(tags.map(({ key }) => key)).size < tags.length
        ? "Cannot provide multiple Tags with the same key"
        : tags.some(({ key, value }) => key === "" || key.length > 128 || value.length > 256)
          ? "The TagKey or TagValue you have provided is invalid"
          : undefined;
  if (fault) throw new S3Error("InvalidTag", fault);
  return tags;
}

function refuseUnsupported({ header, headers }: S3Request): void {
  const refused = [...headers.keys()].find((name) =>
    /^x-amz-(grant-|object-lock-|server-side-encryption-customer-|copy-source-server-side-encryption|write-offset-bytes)/.test(
      name,
    ),
  );
  if (refused) throw notImplemented(`the header ${refused}`);
  const acl = header("x-amz-acl");
  if (acl && !["private", "bucket-owner-full-control"].includes(acl)) throw notImplemented(`x-amz-acl: ${acl}`);
  const encryption = header("x-amz-server-side-encryption");
  if (encryption && encryption !== "AES256") throw notImplemented(`x-amz-server-side-encryption: ${encryption}`);
}

function readUserMetadata({ headers }: S3Request): Record<string, string> {
  const entries = [...headers]
    .filter(([name]) => name.startsWith("x-amz-meta-"))
    .map(([name, value]): [string, string] => [name.slice(11), value]);
  const size = entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (size > MAX_USER_METADATA) {
    throw new S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
  }
  return Object.fromEntries(entries);
}

function readTagging(text: string): Tag[] {
  return checkTags([...new URLSearchParams(text)].map(([key, value]) => ({ key, value })));
}

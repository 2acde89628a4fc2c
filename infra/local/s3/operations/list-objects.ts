import { requireBucket } from "../buckets.ts";
import { S3Error } from "../error.ts";
import { type Listing, type ListingQuery, listObjects, listVersions } from "../listing.ts";
import type { StoredObject } from "../objects.ts";
import type { Operation } from "../operation.ts";
import type { S3Request } from "../request.ts";
import { renderXml, type XmlChild } from "../xml.ts";

/** Most entries of one page. */
const MAX_PAGE = 1000;
export const owner: XmlChild = [
  "Owner",
  [
    ["ID", "local"],
    ["DisplayName", "local"],
  ],
];

/** ListObjectsV2. */
export const listObjectsV2: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const token = request.query.get("continuation-token");
  const startAfter = request.query.get("start-after");
  const query = readQuery(request, token === undefined ? (startAfter ?? "") : readToken(token));
  const listing = listObjects(store, bucket, query);
  const write = encoder(request);
  const owned = request.query.get("fetch-owner") === "true";
  return {
    status: 200,
    body: renderXml("ListBucketResult", [
      ...describe(bucket, query, request, listing),
      ["KeyCount", listing.objects.length + listing.prefixes.length],
      ["ContinuationToken", token],
      ["NextContinuationToken", listing.next && writeToken(listing.next.key)],
      ["StartAfter", startAfter && write(startAfter)],
      ...listing.objects.map((object): XmlChild => ["Contents", describeObject(object, write, owned)]),
      ...prefixes(listing, write),
    ]),
  };
};

/** ListObjects, the first version. */
export const listObjectsV1: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const query = readQuery(request, request.query.get("marker") ?? "");
  const listing = listObjects(store, bucket, query);
  const write = encoder(request);
  return {
    status: 200,
    body: renderXml("ListBucketResult", [
      ...describe(bucket, query, request, listing),
      ["Marker", write(query.after)],
      // Without a delimiter the last key serves as the next marker.
      ["NextMarker", listing.next && query.delimiter ? write(listing.next.key) : undefined],
      ...listing.objects.map((object): XmlChild => ["Contents", describeObject(object, write, true)]),
      ...prefixes(listing, write),
    ]),
  };
};

/** ListObjectVersions. */
export const listObjectVersions: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const keyMarker = request.query.get("key-marker") ?? "";
  const versionMarker = request.query.get("version-id-marker") || undefined;
  if (versionMarker && !keyMarker) {
    throw new S3Error("InvalidArgument", "A version-id marker cannot be specified without a key marker.");
  }
  const query = { ...readQuery(request, keyMarker), afterVersion: versionMarker };
  const listing = listVersions(store, bucket, query);
  const write = encoder(request);
  return {
    status: 200,
    body: renderXml("ListVersionsResult", [
      ...describe(bucket, query, request, listing),
      ["KeyMarker", write(keyMarker)],
      ["VersionIdMarker", versionMarker ?? ""],
      ["NextKeyMarker", listing.next && write(listing.next.key)],
      ["NextVersionIdMarker", listing.next?.version],
      ...listing.objects.map((object): XmlChild => {
        const version: XmlChild[] = [
          ["VersionId", object.version],
          ["IsLatest", object.current],
        ];
        return object.marker
          ? [
              "DeleteMarker",
              [["Key", write(object.key)], ...version, ["LastModified", isoDate(object.modified)], owner],
            ]
          : ["Version", [...describeObject(object, write, true), ...version]];
      }),
      ...prefixes(listing, write),
    ]),
  };
};

/** The date format of listings; S3 keeps whole seconds. */
export function isoDate(milliseconds: number): string {
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString();
}

/** How keys are written: as they are, or percent-encoded with `encoding-type=url`. Throws InvalidArgument. */
export function encoder({ query }: S3Request): (key: string) => string {
  const type = query.get("encoding-type");
  if (type === undefined) return (key) => key;
  if (type !== "url") throw new S3Error("InvalidArgument", "Invalid Encoding Method specified in Request");
  return (key) => encodeURIComponent(key).replaceAll("%2F", "/");
}

/** The `max-…` parameter of a listing. Throws InvalidArgument. */
export function readMax({ query }: S3Request, name: string): number {
  const max = Number(query.get(name) ?? MAX_PAGE);
  if (!Number.isInteger(max) || max < 0) {
    throw new S3Error("InvalidArgument", `Argument ${name} must be an integer between 0 and 2147483647`);
  }
  return Math.min(max, MAX_PAGE);
}

function readQuery(request: S3Request, after: string): ListingQuery {
  return {
    prefix: request.query.get("prefix") ?? "",
    delimiter: request.query.get("delimiter") ?? "",
    after,
    max: readMax(request, "max-keys"),
  };
}

function describe(bucket: string, query: ListingQuery, request: S3Request, listing: Listing): XmlChild[] {
  const write = encoder(request);
  return [
    ["Name", bucket],
    ["Prefix", write(query.prefix)],
    ["Delimiter", query.delimiter === "" ? undefined : write(query.delimiter)],
    ["MaxKeys", query.max],
    ["EncodingType", request.query.get("encoding-type")],
    ["IsTruncated", listing.next !== undefined],
  ];
}

function describeObject(object: StoredObject, write: (key: string) => string, owned: boolean): XmlChild[] {
  const { checksum } = object.metadata;
  return [
    ["Key", write(object.key)],
    ["LastModified", isoDate(object.modified)],
    ["ETag", `"${object.etag}"`],
    ["ChecksumAlgorithm", checksum?.algorithm],
    ["ChecksumType", checksum?.type],
    ["Size", object.size],
    ["StorageClass", object.storageClass],
    ...(owned ? [owner] : []),
  ];
}

function prefixes(listing: Listing, write: (key: string) => string): XmlChild[] {
  return listing.prefixes.map((prefix) => ["CommonPrefixes", [["Prefix", write(prefix)]]]);
}

function writeToken(key: string): string {
  return Buffer.from(`1${key}`).toString("base64url");
}

function readToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (!text.startsWith("1") || writeToken(text.slice(1)) !== token) {
    throw new S3Error("InvalidArgument", "The continuation token provided is incorrect");
  }
  return text.slice(1);
}

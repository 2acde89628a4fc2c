import { requireBucket } from "../buckets.ts";
import { type Listing, type ListingQuery, listObjects, listVersions } from "../listing.ts";
import type { StoredObject } from "../objects.ts";
import type { S3Request } from "../request.ts";
import type { Operation } from "../route.ts";
import { S3Error } from "../s3-error.ts";
import { renderXml, type XmlElement } from "../xml.ts";

/** The most entries of one page. */
const MAX_PAGE = 1000;

/** ListObjectsV2. */
export const listObjectsV2: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const token = request.query.get("continuation-token");
  const startAfter = request.query.get("start-after");
  const query = readQuery(request, token === undefined ? (startAfter ?? "") : readToken(token));
  const listing = listObjects(store, bucket, query);
  const write = encoder(request);
  return {
    status: 200,
    body: renderXml("ListBucketResult", {
      ...describe(bucket, query, request, listing),
      KeyCount: listing.objects.length + listing.prefixes.length,
      ContinuationToken: token,
      NextContinuationToken: listing.next && writeToken(listing.next.key),
      StartAfter: startAfter && write(startAfter),
      Contents: listing.objects.map((object) => describeObject(object, write)),
    }),
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
  const version = (object: StoredObject) => ({ VersionId: object.version, IsLatest: object.current });
  return {
    status: 200,
    body: renderXml("ListVersionsResult", {
      ...describe(bucket, query, request, listing),
      KeyMarker: write(keyMarker),
      VersionIdMarker: versionMarker ?? "",
      NextKeyMarker: listing.next && write(listing.next.key),
      NextVersionIdMarker: listing.next?.version,
      Version: listing.objects
        .filter(({ marker }) => !marker)
        .map((object) => ({ ...describeObject(object, write), ...version(object) })),
      DeleteMarker: listing.objects
        .filter(({ marker }) => marker)
        .map((object) => ({ Key: write(object.key), LastModified: isoDate(object.modified), ...version(object) })),
    }),
  };
};

/** The date format of XML documents, in whole seconds as S3 keeps them. */
export function isoDate(milliseconds: number): string {
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString();
}

/** Writes keys unchanged, or percent-encoded with `encoding-type=url`. Throws InvalidArgument for another encoding type. */
export function encoder({ query }: S3Request): (key: string) => string {
  const type = query.get("encoding-type");
  if (type === undefined) return (key) => key;
  if (type !== "url") throw new S3Error("InvalidArgument", "Invalid Encoding Method specified in Request");
  return (key) => encodeURIComponent(key).replaceAll("%2F", "/");
}

function readQuery(request: S3Request, after: string): ListingQuery {
  const max = Number(request.query.get("max-keys") ?? MAX_PAGE);
  if (!Number.isInteger(max) || max < 0) {
    throw new S3Error("InvalidArgument", "Argument max-keys must be an integer between 0 and 2147483647");
  }
  return {
    prefix: request.query.get("prefix") ?? "",
    delimiter: request.query.get("delimiter") ?? "",
    after,
    max: Math.min(max, MAX_PAGE),
  };
}

function describe(bucket: string, query: ListingQuery, request: S3Request, listing: Listing): XmlElement {
  const write = encoder(request);
  return {
    Name: bucket,
    Prefix: write(query.prefix),
    Delimiter: query.delimiter === "" ? undefined : write(query.delimiter),
    MaxKeys: query.max,
    EncodingType: request.query.get("encoding-type"),
    IsTruncated: listing.next !== undefined,
    CommonPrefixes: listing.prefixes.map((prefix) => ({ Prefix: write(prefix) })),
  };
}

function describeObject(object: StoredObject, write: (key: string) => string): XmlElement {
  const { checksum } = object.metadata;
  return {
    Key: write(object.key),
    LastModified: isoDate(object.modified),
    ETag: `"${object.etag}"`,
    ChecksumAlgorithm: checksum?.algorithm,
    ChecksumType: checksum?.type,
    Size: object.size,
    StorageClass: object.storageClass,
  };
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

import { requireBucket } from "./buckets.ts";
import { S3Error } from "./error.ts";
import { currentObject, noSuchKey, objectVersion, type StoredObject } from "./objects.ts";
import type { S3Request } from "./request.ts";
import type { Store } from "./store.ts";

/** The object or version that a request names. Throws NoSuchKey, NoSuchVersion, or MethodNotAllowed for a marker. */
export function findObject(store: Store, request: S3Request): StoredObject {
  const bucket = requireBucket(store, request.bucket);
  return findVersion(store, bucket, request.key ?? "", request.query.get("versionId"));
}

export function findVersion(store: Store, bucket: string, key: string, version: string | undefined): StoredObject {
  if (version === undefined) {
    const object = currentObject(store, bucket, key);
    if (!object) throw noSuchKey();
    if (object.marker) throw noSuchKey({ "x-amz-delete-marker": "true", "x-amz-version-id": object.version });
    return object;
  }
  const object = objectVersion(store, bucket, key, version);
  if (!object) throw new S3Error("NoSuchVersion", "The specified version does not exist.");
  if (object.marker) {
    throw new S3Error("MethodNotAllowed", "The specified method is not allowed against this resource.", {
      headers: {
        "x-amz-delete-marker": "true",
        "x-amz-version-id": version,
        "last-modified": httpDate(object.modified),
      },
    });
  }
  return object;
}

export function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

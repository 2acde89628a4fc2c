/** The zips of exports in the simulated bucket, and the bucket as an erasure searches it. Both go through the instance that makes the call. */
import { inflateRawSync } from "node:zlib";
import { userOfPart, userPart } from "../../shared/archive/user-part.ts";
import { AppError } from "../../shared/errors.ts";
import type { ExportObjects, ExportPlace } from "../../shared/exports/build-export.ts";
import type { Version, Versions } from "../../shared/privacy/erase-objects.s3.ts";
import type { Eraser } from "../../shared/privacy/erasure.ts";
import type { Bucket } from "./bucket.ts";
import type { Instance } from "./instance.ts";

const senderOf =
  (instance: Instance) =>
  <T>(label: string, execute: () => T): Promise<T> =>
    instance.call({ label: () => label, execute, fail: () => new AppError("unavailable", "S3 does not answer") });

const keyOf = ({ user_id, id }: ExportPlace): string => `exports/${userPart(user_id)}/${id}`;

export function exportObjectsOf(bucket: Bucket, instance: Instance): ExportObjects {
  const { exports, uploads } = bucket;
  const send = senderOf(instance);
  return {
    readProgress: (place) =>
      send(`GetObject ${keyOf(place)}.progress.json`, () => {
        const stored = exports.get(`${keyOf(place)}.progress.json`);
        return stored ? { progress: JSON.parse(String(stored.body)), etag: stored.etag } : null;
      }),
    writeProgress(place, progress, etag) {
      const body = JSON.stringify(progress);
      return send(`PutObject ${keyOf(place)}.progress.json`, () => {
        const key = `${keyOf(place)}.progress.json`;
        if ((exports.get(key)?.etag ?? null) !== etag) return null;
        return bucket.put(key, Buffer.from(body));
      });
    },
    beginUpload: (place) =>
      send(`CreateMultipartUpload ${keyOf(place)}.zip`, () => {
        const id = `upload ${bucket.nextUpload++}`;
        uploads.set(id, { key: `${keyOf(place)}.zip`, parts: [] });
        return id;
      }),
    putPart: (_place, id, n, bytes) =>
      send(`UploadPart ${id} ${n}`, () => {
        const upload = uploads.get(id);
        if (!upload) throw new AppError("unavailable", "there is no such upload");
        upload.parts[n - 1] = Buffer.from(bytes);
        return `part ${n}`;
      }),
    completeUpload: (place, id) =>
      send(`CompleteMultipartUpload ${id}`, () => {
        const upload = uploads.get(id);
        if (!upload) return exports.has(`${keyOf(place)}.zip`);
        uploads.delete(id);
        bucket.put(upload.key, Buffer.concat(upload.parts));
        return true;
      }),
    abortUpload: (_place, id) => send(`AbortMultipartUpload ${id}`, () => void uploads.delete(id)),
    removeProgress: (place) =>
      send(`DeleteObject ${keyOf(place)}.progress.json`, () => void exports.delete(`${keyOf(place)}.progress.json`)),
    removeZip: (place) => send(`DeleteObject ${keyOf(place)}.zip`, () => void exports.delete(`${keyOf(place)}.zip`)),
    sign: async (place) => `${keyOf(place)}.zip`,
  };
}

/** The files of a zip that `packFile` has written, by their paths. */
export function unpack(zip: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50; ) {
    const [method, packed, length] = [zip.readUInt16LE(at + 8), zip.readUInt32LE(at + 18), zip.readUInt16LE(at + 26)];
    const start = at + 30 + length;
    const data = zip.subarray(start, start + packed);
    files.set(zip.toString("utf8", at + 30, start), (method === 0 ? data : inflateRawSync(data)).toString());
    at = start + packed;
  }
  return files;
}

/** The objects of the bucket, each with one version. */
export function versionsOf(bucket: Bucket, instance: Instance): Versions {
  const send = senderOf(instance);
  const maps = [bucket.objects, bucket.exports] as const;
  const fileKey = (key: string) => key.replace("files/", "");
  const keys = () => [
    ...maps.flatMap((map) => [...map.keys()]),
    ...[...bucket.files.keys()].map((key) => `files/${key}`),
  ];
  const version = (key: string): Version => ({ key, id: "null", isLatest: true, etag: "", bytes: 1 });
  const below = (prefix: string) => keys().filter((key) => key.startsWith(prefix));
  const unused = () => Promise.reject(new Error("the simulated lake is not Parquet"));
  return {
    folders: (prefix) =>
      send(`ListObjectVersions ${prefix} /`, () => [
        ...new Set(below(prefix).map((key) => key.slice(0, key.indexOf("/", prefix.length) + 1))),
      ]),
    list: (prefix) => send(`ListObjectVersions ${prefix}`, () => below(prefix).map(version)),
    uploads: (prefix) =>
      send(`ListMultipartUploads ${prefix}`, () =>
        [...bucket.uploads].flatMap(([id, { key }]) => (key.startsWith(prefix) ? [{ key, id }] : [])),
      ),
    read: unused,
    remove: ({ key }) =>
      send(`DeleteObject ${key}`, () => {
        for (const map of maps) map.delete(key);
        bucket.files.delete(fileKey(key));
      }),
    abort: ({ id }) => send(`AbortMultipartUpload ${id}`, () => void bucket.uploads.delete(id)),
  };
}

/** Erases the rows of a user from the lake, whose partitions are kept as rows. */
export function lakeEraserOf({ partitions }: Bucket, instance: Instance, user: string): Eraser {
  const send = senderOf(instance);
  const isOf = (row: object) => (row as { user_hash?: string }).user_hash === user;
  return {
    search: () =>
      send("search the lake", () => ({
        "rows of the lake": [...partitions.values()].flatMap(({ rows }) => rows.filter(isOf)).length,
      })),
    async erase() {
      await send("rewrite the lake", () => {
        for (const [key, { etag, fingerprint, rows }] of partitions) {
          const kept = rows.filter((row) => !isOf(row));
          if (kept.length < rows.length) partitions.set(key, { etag: `${etag}*`, fingerprint, rows: kept });
          if (kept.length === 0) partitions.delete(key);
        }
      });
      return true;
    },
  };
}

/** Everything of a user in the bucket, as text: keys and contents. */
export function textOfUser(bucket: Bucket, user: string): string {
  const isOf = (key: string) => userOfPart(key.split("/").at(key.startsWith("archive/") ? 2 : 1) ?? "") === user;
  return [
    ...[...bucket.objects.keys()].filter(isOf).flatMap((key) => [key, JSON.stringify(bucket.linesOf(key))]),
    ...[...bucket.partitions.values()].map(({ rows }) => JSON.stringify(rows)),
    ...[...bucket.files].filter(([key]) => key.startsWith(`${user}/`)).map(([, content]) => String(content)),
    ...[...bucket.exports].filter(([key]) => isOf(key)).map(([key]) => key),
    ...[...bucket.uploads.values()].filter(({ key }) => isOf(key)).map(({ key }) => key),
  ].join("\n");
}

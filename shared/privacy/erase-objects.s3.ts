import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import pMap from "p-map";
import { formerUserPart, userPart } from "../archive/user-part.ts";
import type { FileStore } from "../files/file-store.ts";
import { retention } from "../retention/policy.ts";
import { translate } from "../s3/translate.ts";
import type { Eraser } from "./erasure.ts";

/** Calls that run at the same time. */
const PARALLEL = 16;

/** A version of an object, or a delete marker. */
export interface Version {
  key: string;
  id: string;
  isLatest: boolean;
  /** Empty for a delete marker. */
  etag: string;
  /** 0 = a delete marker. */
  bytes: number;
}

/** Lists all versions of the objects below a prefix, and deletes single ones. */
export function createVersions(s3: S3Client, Bucket: string) {
  const call = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      throw translate(error, "bucket");
    });

  async function* pages(Prefix: string, Delimiter?: string) {
    let KeyMarker: string | undefined;
    let VersionIdMarker: string | undefined;
    do {
      const page = await call(
        s3.send(new ListObjectVersionsCommand({ Bucket, Prefix, Delimiter, KeyMarker, VersionIdMarker })),
      );
      yield page;
      [KeyMarker, VersionIdMarker] = [page.NextKeyMarker, page.NextVersionIdMarker];
    } while (KeyMarker !== undefined);
  }

  return {
    /** Lists the prefixes one level below a prefix. */
    async folders(prefix: string): Promise<string[]> {
      const all: string[] = [];
      for await (const { CommonPrefixes = [] } of pages(prefix, "/"))
        all.push(...CommonPrefixes.map((each) => each.Prefix ?? ""));
      return all;
    },

    async list(prefix: string): Promise<Version[]> {
      const all: Version[] = [];
      for await (const { Versions = [], DeleteMarkers = [] } of pages(prefix)) {
        const markers = DeleteMarkers.map((marker) => ({ ...marker, ETag: "", Size: 0 }));
        for (const { Key = "", VersionId = "null", IsLatest = false, ETag = "", Size = 0 } of [
          ...Versions,
          ...markers,
        ]) {
          all.push({ key: Key, id: VersionId, isLatest: IsLatest, etag: ETag, bytes: Size });
        }
      }
      return all;
    },

    /** Lists unfinished multipart uploads. S3 stores their parts. */
    async uploads(prefix: string): Promise<{ key: string; id: string }[]> {
      const { Uploads = [] } = await call(s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix })));
      return Uploads.map(({ Key = "", UploadId = "" }) => ({ key: Key, id: UploadId }));
    },

    /** Reads a part of a version. Fails if the content has changed, which can happen on the local S3 because it has no versions. */
    async read({ key, id, etag }: Version, start: number, end: number): Promise<Uint8Array> {
      const Range = `bytes=${start}-${end - 1}`;
      const input = { Bucket, Key: key, VersionId: id, IfMatch: etag, Range };
      const { Body } = await call(s3.send(new GetObjectCommand(input)));
      return call((Body as NonNullable<typeof Body>).transformToByteArray());
    },

    async remove({ key, id }: Pick<Version, "key" | "id">): Promise<void> {
      await call(s3.send(new DeleteObjectCommand({ Bucket, Key: key, VersionId: id })));
    },

    async abort({ key, id }: { key: string; id: string }): Promise<void> {
      await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: id })).catch((error: unknown) => {
        // The upload was completed or aborted since it was listed.
        if ((error as Error).name !== "NoSuchUpload") throw translate(error, "bucket");
      });
    },
  };
}

export type Versions = ReturnType<typeof createVersions>;

/** Creates the erasers of the objects below a user's prefixes, with all their versions. */
export function createObjectErasers(versions: Versions, user: string): Eraser[] {
  const parts = [...new Set([userPart(user), formerUserPart(user)])];
  const archived = async () => {
    const days = await versions.folders(`${retention.archive.place.object}dt=`);
    return days.flatMap((day) => parts.map((part) => `${day}${part}/`));
  };
  const exports = async () => [`${retention.export.place.object}${userPart(user)}/`];
  return [
    eraserOf(versions, "contents of exports", exports),
    eraserOf(versions, "archived sessions", archived),
    eraserOf(versions, "contents of files", async () => [filesOf(user)]),
  ];
}

/**
 * Erases contents of files that were uploaded with URLs from before the erasure. These contents have no record. Files that the user has
 * stored since have one.
 */
export async function eraseUploads(
  versions: Versions,
  files: Pick<FileStore, "find">,
  user: string,
  now: number,
): Promise<void> {
  const all = await versions.list(filesOf(user));
  const known = new Set((await files.find(user, all.map(idOf), now)).map(({ id }) => id));
  const late = all.filter((version) => !known.has(idOf(version)));
  await pMap(late, (version) => versions.remove(version), { concurrency: PARALLEL });
}

const filesOf = (user: string): string => `${retention.file.place.object}${userPart(user)}/`;

const idOf = ({ key }: Version): string => key.slice(key.lastIndexOf("/") + 1);

function eraserOf(versions: Versions, name: string, prefixes: () => Promise<string[]>): Eraser {
  let found: (() => Promise<void>)[] = [];
  return {
    async search() {
      const lists = await pMap(
        await prefixes(),
        async (prefix) => [
          ...(await versions.list(prefix)).map((version) => () => versions.remove(version)),
          ...(await versions.uploads(prefix)).map((upload) => () => versions.abort(upload)),
        ],
        { concurrency: PARALLEL },
      );
      found = lists.flat();
      return { [name]: found.length };
    },

    async erase(_isFinal, isOver) {
      await pMap(found, async (remove) => (isOver() ? undefined : remove()), { concurrency: PARALLEL });
      return !isOver();
    },
  };
}

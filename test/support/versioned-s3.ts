import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";

/** A version of an object, or a delete marker, which has no body. */
interface Version {
  key: string;
  id: string;
  body?: Buffer;
  etag: string;
}

// biome-ignore lint/suspicious/noExplicitAny: each command knows its own input
type Command = { constructor: { name: string }; input: any };

/**
 * A client of a bucket that keeps older versions and delete markers, as S3 does when versioning is on. The engine behind `s3` has the current
 * objects only. Lists have pages of `page` entries.
 */
export function withVersions(s3: S3Client, Bucket: string, page = 2) {
  /** By key, the newest first. */
  const all = new Map<string, Version[]>();
  let count = 0;
  let refused = 0;
  const of = (key: string): Version[] => all.get(key) ?? [];

  async function read(Key: string): Promise<Omit<Version, "id"> | undefined> {
    const answer = await s3.send(new GetObjectCommand({ Bucket, Key })).catch(() => undefined);
    if (!answer?.Body) return undefined;
    return { key: Key, body: Buffer.from(await answer.Body.transformToByteArray()), etag: answer.ETag ?? "" };
  }

  /** Adds the version that a write has made. */
  async function add(key: string): Promise<void> {
    all.set(key, [{ id: `v${++count}`, ...((await read(key)) ?? { key, etag: "" }) }, ...of(key)]);
  }

  async function removeVersion({ Key, VersionId }: { Key: string; VersionId: string }): Promise<object> {
    const [newest] = of(Key);
    const rest = of(Key).filter(({ id }) => id !== VersionId);
    all.set(Key, rest);
    if (newest?.id !== VersionId) return {};
    if (newest?.body) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    // The version before it is the current one now.
    if (rest[0]?.body) await s3.send(new PutObjectCommand({ Bucket, Key, Body: rest[0].body }));
    return {};
  }

  function readVersion({ Key, VersionId, IfMatch, Range }: Record<string, string>): object {
    const version = of(Key ?? "").find(({ id }) => id === VersionId);
    if (!version?.body) throw failure(404);
    if (IfMatch !== undefined && IfMatch !== version.etag) throw failure(412);
    const [, start = "0", end = ""] = /bytes=(\d+)-(\d+)/.exec(Range ?? "") ?? [];
    const bytes = version.body.subarray(Number(start), end === "" ? undefined : Number(end) + 1);
    return { Body: { transformToByteArray: async () => new Uint8Array(bytes) } };
  }

  function list({ Prefix, Delimiter, KeyMarker = "", VersionIdMarker }: Record<string, string>): object {
    const entries = [...all.keys()]
      .sort()
      .filter((key) => key.startsWith(Prefix ?? ""))
      .flatMap((key) => of(key).map((version, n) => ({ ...version, isLatest: n === 0 })));
    if (Delimiter) {
      const ends = entries.map(({ key }) => key.indexOf(Delimiter, Prefix?.length) + 1);
      const folders = [...new Set(entries.map(({ key }, n) => key.slice(0, ends[n])))].filter(
        (each) => each > KeyMarker,
      );
      const more = folders.length > page ? { NextKeyMarker: folders[page - 1] } : {};
      return { CommonPrefixes: folders.slice(0, page).map((each) => ({ Prefix: each })), ...more };
    }
    const start = entries.findIndex(({ key, id }) => key === KeyMarker && id === VersionIdMarker) + 1;
    const shown = entries.slice(start, start + page);
    const last = shown.at(-1);
    const described = shown.map(({ key, id, etag, body, isLatest }) => ({
      Key: key,
      VersionId: id,
      ETag: etag,
      IsLatest: isLatest,
      Size: body?.length,
    }));
    return {
      Versions: described.filter(({ Size }) => Size !== undefined),
      DeleteMarkers: described.filter(({ Size }) => Size === undefined),
      ...(start + page < entries.length && last ? { NextKeyMarker: last.key, NextVersionIdMarker: last.id } : {}),
    };
  }

  async function send(command: Command): Promise<unknown> {
    const { name } = command.constructor;
    const { Key, VersionId } = command.input;
    if (name === "DeleteObjectCommand" && refused > 0) {
      refused--;
      throw failure(503);
    }
    if (name === "ListObjectVersionsCommand") return list(command.input);
    if (name === "GetObjectCommand" && VersionId) return readVersion(command.input);
    if (name === "DeleteObjectCommand" && VersionId) return removeVersion(command.input);
    const answer = await s3.send(command as never);
    if (["PutObjectCommand", "CompleteMultipartUploadCommand", "DeleteObjectCommand"].includes(name)) await add(Key);
    return answer;
  }

  const client = new Proxy(s3, {
    get: (target, name, receiver) => (name === "send" ? send : Reflect.get(target, name, receiver)),
  });
  return {
    client,
    /** Keys and ids of all versions, the newest first; delete markers have a `-`. */
    stored: (): string[] => [...all.values()].flat().map(({ key, id, body }) => `${key} ${body ? "" : "-"}${id}`),
    /** Refuses so many deletions. */
    refuse: (deletions: number) => {
      refused = deletions;
    },
  };
}

function failure(status: number): Error {
  return Object.assign(new Error(`S3 answers ${status}`), { $metadata: { httpStatusCode: status } });
}

/** A bucket in memory, behind the ports that the archive and the lake use. Each call goes through the instance that makes it. */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { ArchivedDays, ArchivedObject, ArchiveLine } from "../../shared/archive/archived-days.ts";
import type { Objects } from "../../shared/archive/objects.s3.ts";
import { userOfPart } from "../../shared/archive/user-part.ts";
import { AppError } from "../../shared/errors.ts";
import type { FileObjects } from "../../shared/files/file-store.ts";
import type { Lake } from "../../shared/lake/lake.ts";
import { partitionKey, type Row, type TableName } from "../../shared/lake/tables.ts";
import type { Condition } from "../../shared/s3/upload-object.ts";
import type { Instance, StoreFailure } from "./instance.ts";

interface Stored {
  body: Buffer;
  etag: string;
  metadata: Record<string, string>;
  modified: number;
}

/** Rows of a partition of the lake. */
interface Partition {
  etag: string;
  fingerprint: string;
  rows: object[];
}

export class Bucket {
  readonly objects = new Map<string, Stored>();
  /** Called with the key of each object that is stored. */
  readonly onPut: (key: string) => void;
  readonly partitions = new Map<string, Partition>();
  /** The content of files, by `<user>/<id>`. */
  readonly files = new Map<string, Uint8Array>();
  /** Zips of exports, and the progress of those that run. */
  readonly exports = new Map<string, { body: Buffer; etag: string }>();
  readonly uploads = new Map<string, { key: string; parts: Buffer[] }>();
  nextUpload = 0;

  /** Stores an object of an export, and returns its ETag. */
  put(key: string, body: Buffer): string {
    const etag = etagOf(body);
    this.exports.set(key, { body, etag });
    return etag;
  }

  constructor(onPut: (key: string) => void) {
    this.onPut = onPut;
  }

  /** The lines of an archive object. */
  linesOf(key: string): ArchiveLine[] {
    const { body } = this.objects.get(key) ?? fail(404);
    return gunzipSync(body)
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as ArchiveLine);
  }

  rowsOf<T extends TableName>(table: T): Row<T>[] {
    const wanted = [...this.partitions].filter(([key]) => key.startsWith(`lake/${table}/`));
    return wanted.flatMap(([, { rows }]) => rows) as Row<T>[];
  }

  /** What lifecycle rules delete: objects that have reached their age. */
  expire(before: number): void {
    for (const [key, { modified }] of this.objects) if (modified < before) this.objects.delete(key);
  }
}

const fail = (status: number): never => {
  throw Object.assign(new Error(`S3 answers ${status}`), { $metadata: { httpStatusCode: status } });
};

/** A lost connection has no status. */
const failure = (kind: StoreFailure): Error =>
  kind === "throttled"
    ? Object.assign(new Error("SlowDown"), { $metadata: { httpStatusCode: 503 } })
    : Object.assign(new Error("socket hang up"), { $metadata: {} });

function check(condition: Condition, present: { etag: string } | undefined): void {
  if ("IfNoneMatch" in condition ? present : !present || present.etag !== condition.IfMatch) {
    fail("IfNoneMatch" in condition || present ? 412 : 404);
  }
}

const etagOf = (body: Buffer): string => `"${createHash("md5").update(body).digest("hex")}"`;

/** The content of files, as an instance reaches it. Clients upload nothing: they send `data:` URLs. */
export function filesOf({ files }: Bucket, instance: Instance): FileObjects {
  const keyOf = ({ user_id, id }: { user_id: string; id: string }) => `${user_id}/${id}`;
  const send = <T>(label: string, execute: () => T) =>
    instance.call({ label: () => label, execute, fail: () => new AppError("unavailable", "S3 does not answer") });
  const unused = () => Promise.reject(new Error("no client of the simulation asks for a URL"));
  return {
    signUpload: unused,
    signDownload: unused,
    has: (file) => send(`HeadObject ${keyOf(file)}`, () => files.has(keyOf(file))),
    put: (file, content) => send(`PutObject ${keyOf(file)}`, () => void files.set(keyOf(file), content)),
    read: (file) => send(`GetObject ${keyOf(file)}`, () => files.get(keyOf(file)) ?? fail(404)),
    remove: (file) => send(`DeleteObject ${keyOf(file)}`, () => void files.delete(keyOf(file))),
  };
}

/** The archive's objects, as an instance reaches them. */
export function objectsOf(bucket: Bucket, instance: Instance, now: () => number): Objects {
  const { objects } = bucket;
  const send = <T>(label: string, execute: () => T) => instance.call({ label: () => label, execute, fail: failure });
  const port = {
    head: (key: string) =>
      send(`HeadObject ${key}`, () => {
        const { etag, metadata } = objects.get(key) ?? fail(404);
        return { ETag: etag, Metadata: metadata };
      }),
    read: (key: string, etag: string, range: string) =>
      send(`GetObject ${key}`, () => {
        const stored = objects.get(key) ?? fail(404);
        check({ IfMatch: etag }, stored);
        const [first, last] = range.replace("bytes=", "").split("-").map(Number);
        return stored.body.subarray(first, (last ?? 0) + 1);
      }),
    async upload(
      key: string,
      stream: AsyncIterable<Uint8Array>,
      metadata: Record<string, string>,
      condition: Condition,
    ) {
      const pieces: Uint8Array[] = [];
      for await (const piece of stream) pieces.push(piece);
      const body = Buffer.concat(pieces);
      return send(`PutObject ${key}`, () => {
        check(condition, objects.get(key));
        objects.set(key, { body, etag: etagOf(body), metadata, modified: now() });
        bucket.onPut(key);
        return { ETag: etagOf(body) };
      });
    },
    remove: (key: string, etag: string) =>
      send(`DeleteObject ${key}`, () => {
        check({ IfMatch: etag }, objects.get(key));
        objects.delete(key);
      }),
    ping: async () => undefined,
  };
  return port as unknown as Objects;
}

/** The archive as the builder of the lake reads it. */
export function archivedDaysOf(bucket: Bucket, instance: Instance): ArchivedDays {
  const dayOf = (key: string) => key.slice("archive/dt=".length, "archive/dt=2026-11-21".length);
  return {
    days: () =>
      instance.call({
        label: () => "ListObjects archive/",
        execute: () => [...new Set([...bucket.objects.keys()].map(dayOf))].sort(),
        fail: failure,
      }),
    async *list(day) {
      const found = await instance.call({
        label: () => `ListObjects archive/dt=${day}/`,
        execute: () =>
          [...bucket.objects]
            .filter(([key]) => key.startsWith(`archive/dt=${day}/`))
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, { etag, body, modified }]): ArchivedObject => {
              const user = userOfPart(key.split("/")[2] ?? "");
              return { key, etag, bytes: body.length, archivedAt: modified, user };
            }),
        fail: failure,
      });
      yield* found;
    },
    async open({ key, etag }) {
      const lines = await instance.call({
        label: () => `GetObject ${key}`,
        execute: () => (bucket.objects.get(key)?.etag === etag ? bucket.linesOf(key) : null),
        fail: failure,
      });
      if (!lines) throw new AppError("conflict", "an archive object has changed since it was listed");
      return (async function* () {
        yield lines;
      })();
    },
  };
}

/** The lake, of which rows are kept as they are: Parquet is not what is simulated. */
export function lakeOf(bucket: Bucket, instance: Instance): Lake {
  const { partitions } = bucket;
  const send = async <T>(label: string, execute: () => T): Promise<T> => {
    try {
      return await instance.call({ label: () => label, execute, fail: failure });
    } catch (error) {
      throw new AppError("unavailable", "the lake does not answer", { cause: error });
    }
  };
  return {
    find: (table, day) =>
      send(`HeadObject ${partitionKey(table, day)}`, () => partitions.get(partitionKey(table, day)) ?? null),
    begin(table, day, fingerprint, replaces) {
      const rows: object[] = [];
      const key = partitionKey(table, day);
      return {
        add: async (row) => void rows.push(row),
        commit: () =>
          send(`PutObject ${key}`, () => {
            if ((partitions.get(key)?.etag ?? null) !== replaces) return false;
            const etag = etagOf(Buffer.from(JSON.stringify([fingerprint, rows])));
            partitions.set(key, { etag, fingerprint, rows });
            return true;
          }),
        abort: async () => undefined,
      };
    },
    remove: (table, day, etag) =>
      send(`DeleteObject ${partitionKey(table, day)}`, () => {
        const key = partitionKey(table, day);
        return partitions.get(key)?.etag === etag && partitions.delete(key);
      }),
  };
}

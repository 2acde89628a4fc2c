import { pipeline, type Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createGunzip, gunzipSync } from "node:zlib";
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import { AppError } from "../errors.ts";
import { statusOf, translate } from "../s3/translate.ts";
import type { ArchivedDays, ArchivedObject, ArchiveLine } from "./archived-days.ts";
import { parseLine } from "./archived-lines.ts";
import { userOfPart } from "./user-part.ts";

/** Compressed bytes up to which an object is read whole. Gzip compresses at most by the factor 1,000, so this is at most 64 MB of text. */
const WHOLE = 64 * 1024;

/** Reads the archive's days, which are the prefixes `archive/dt=<day>/` of a bucket. */
export function createArchivedDays(s3: S3Client, Bucket: string): ArchivedDays {
  const pages = async function* (parameters: { Prefix: string; Delimiter?: string }) {
    try {
      yield* paginateListObjectsV2({ client: s3 }, { Bucket, ...parameters });
    } catch (error) {
      fail(error);
    }
  };

  const get = async ({ key, etag }: ArchivedObject) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key, IfMatch: etag })).catch(fail);
    return Body;
  };

  return {
    async days() {
      const days: string[] = [];
      for await (const { CommonPrefixes = [] } of pages({ Prefix: "archive/dt=", Delimiter: "/" })) {
        days.push(...CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice("archive/dt=".length, -1)));
      }
      return days;
    },

    async *list(day) {
      for await (const { Contents = [] } of pages({ Prefix: `archive/dt=${day}/` })) {
        for (const { Key = "", ETag = "", Size = 0, LastModified } of Contents) {
          const object = { key: Key, etag: ETag, bytes: Size, archivedAt: LastModified?.getTime() ?? 0 };
          yield { ...object, user: userOfPart(Key.split("/")[2] ?? "") };
        }
      }
    },

    async open(object) {
      // Fetch a large object only when its lines are read, so that it holds no connection while it waits.
      if (object.bytes > WHOLE) return streamLines(() => get(object));
      const bytes = await (await get(object))?.transformToByteArray().catch(fail);
      return allLines(bytes ?? new Uint8Array());
    },
  };
}

async function* allLines(bytes: Uint8Array): AsyncGenerator<ArchiveLine[]> {
  yield parse(gunzipSync(bytes).toString("utf8").split("\n"));
}

async function* streamLines(get: () => Promise<unknown>): AsyncGenerator<ArchiveLine[]> {
  const unpacked = pipeline((await get()) as Readable, createGunzip(), () => undefined);
  const decoder = new StringDecoder("utf8");
  let rest = "";
  try {
    for await (const chunk of unpacked) {
      const lines = (rest + decoder.write(chunk as Buffer)).split("\n");
      rest = lines.pop() ?? "";
      yield parse(lines);
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    fail(error);
  }
}

const parse = (lines: string[]): ArchiveLine[] => lines.filter((line) => line !== "").map(parseLine<ArchiveLine>);

function fail(error: unknown): never {
  const status = statusOf(error);
  if (status === 404 || status === 412) {
    throw new AppError("conflict", "an archive object has changed since it was listed", { cause: error });
  }
  throw translate(error, "archive");
}

import { PassThrough } from "node:stream";
import { DeleteObjectCommand, HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { AppError } from "../errors.ts";
import { statusOf, translate } from "../s3/translate.ts";
import { uploadObject } from "../s3/upload-object.ts";
import type { Lake } from "./lake.ts";
import { createParquetFile } from "./parquet-file.ts";
import { partitionKey } from "./tables.ts";

/** Stores the lake as objects `lake/<table>/dt=<day>/<table>.parquet` in a bucket. */
export function createLake(s3: S3Client, Bucket: string): Lake {
  return {
    async find(table, day) {
      try {
        const { ETag = "", Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key: partitionKey(table, day) }));
        return { etag: ETag, fingerprint: Metadata?.fingerprint ?? "none" };
      } catch (error) {
        if (statusOf(error) === 404) return null;
        return fail(error);
      }
    },

    begin(table, day, fingerprint, replaces) {
      const bytes = new PassThrough();
      const uploaded = uploadObject(
        s3,
        {
          Bucket,
          Key: partitionKey(table, day),
          ContentType: "application/vnd.apache.parquet",
          Metadata: { fingerprint },
        },
        replaces === null ? { IfNoneMatch: "*" } : { IfMatch: replaces },
        bytes,
      );
      // The next write or the commit rethrows a failure.
      uploaded.catch(() => undefined);
      const file = createParquetFile(table, async (chunk) => {
        // Also wait for the upload, because a failed upload stops reading and the write would wait forever.
        await Promise.race([uploaded, new Promise((resolve) => bytes.write(chunk, resolve))]);
      });
      return {
        add: (row) => file.add(row).catch(fail),
        async commit() {
          try {
            await file.finish();
            bytes.end();
            await uploaded;
            return true;
          } catch (error) {
            if (isOtherVersion(error)) return false;
            return fail(error);
          }
        },
        async abort() {
          bytes.on("error", () => undefined).destroy(new Error("the partition is discarded"));
          await uploaded.catch(() => undefined);
        },
      };
    },

    async remove(table, day, etag) {
      try {
        await s3.send(new DeleteObjectCommand({ Bucket, Key: partitionKey(table, day), IfMatch: etag }));
        return true;
      } catch (error) {
        if (isOtherVersion(error)) return false;
        return fail(error);
      }
    },
  };
}

// 404: the object was deleted. 409: another conditional write of the same key was under way.
const isOtherVersion = (error: unknown): boolean => [404, 409, 412].includes(statusOf(error) ?? 0);

function fail(error: unknown): never {
  throw error instanceof AppError ? error : translate(error, "lake");
}

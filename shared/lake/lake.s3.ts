import { DeleteObjectCommand, HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { AppError } from "../errors.ts";
import { statusOf, translate } from "../s3/translate.ts";
import type { Lake } from "./lake.ts";
import { createObjectWriter } from "./object-writer.s3.ts";
import { createParquetFile } from "./parquet.ts";
import { partitionKey } from "./tables.ts";

/** The lake as objects `lake/<table>/dt=<day>/<table>.parquet` in a bucket. */
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

    begin(table, day, fingerprint) {
      const object = createObjectWriter(s3, {
        Bucket,
        Key: partitionKey(table, day),
        ContentType: "application/vnd.apache.parquet",
        Metadata: { fingerprint },
      });
      const file = createParquetFile(table, (bytes) => object.write(bytes));
      return {
        add: (row) => file.add(row).catch(fail),
        async commit(replaces) {
          try {
            await file.finish();
            await object.commit(replaces === null ? { IfNoneMatch: "*" } : { IfMatch: replaces });
            return true;
          } catch (error) {
            if (isOtherVersion(error)) return false;
            return fail(error);
          }
        },
        abort: () => object.abort().catch(fail),
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

// 404: gone by now. 409: another conditional write of the same key was under way.
const isOtherVersion = (error: unknown): boolean => [404, 409, 412].includes(statusOf(error) ?? 0);

function fail(error: unknown): never {
  throw error instanceof AppError ? error : translate(error, "lake");
}

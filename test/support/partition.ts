import { zstdDecompressSync } from "node:zlib";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { parquetReadObjects } from "hyparquet";
import { partitionKey, type TableName } from "../../shared/lake/tables.ts";
import type { Engines } from "./engines.ts";

/** Reads the rows of a lake partition; `[]` = the partition does not exist. */
export async function readPartition(
  { s3, bucket }: Engines,
  table: TableName,
  day: string,
): Promise<Record<string, unknown>[]> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: partitionKey(table, day) }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    return await parquetReadObjects({ file, compressors: { ZSTD: (page) => zstdDecompressSync(page) } });
  } catch (error) {
    if ((error as Error).name === "NoSuchKey") return [];
    throw error;
  }
}

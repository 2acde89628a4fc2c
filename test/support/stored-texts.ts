import { gunzipSync } from "node:zlib";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { paginateScan } from "@aws-sdk/lib-dynamodb";
import type { Engines } from "./engines.ts";

/** Everything that is stored, as texts: items of the tables, keys and contents of objects. The rows of Parquet files are not read. */
export async function storedTexts(engines: Engines): Promise<string[]> {
  const texts: string[] = [];
  for (const TableName of [engines.tableName, engines.metricsTable, engines.exportTable]) {
    for await (const { Items = [] } of paginateScan({ client: engines.dynamodb }, { TableName })) {
      texts.push(...Items.map((item) => JSON.stringify(item)));
    }
  }
  const { Contents = [] } = await engines.s3.send(new ListObjectsV2Command({ Bucket: engines.bucket }));
  for (const { Key = "" } of Contents.filter((object) => !object.Key?.endsWith(".parquet"))) {
    const { Body } = await engines.s3.send(new GetObjectCommand({ Bucket: engines.bucket, Key }));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    texts.push(Key, (Key.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("latin1"));
  }
  return texts;
}

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { isAlive } from "../local/dynamodb/process-identity.ts";

const hostFile = z.object({
  pid: z.number(),
  endpoints: z.object({ s3: z.string() }),
  outputs: z.object({ ArchiveBucketName: z.string() }),
});

/** The bucket of the local host that runs on a data directory. Throws an Error that says what to do when none does. */
export function findLake(data: string): { s3: S3Client; bucket: string } {
  const file = path.join(data, "host.json");
  const host = existsSync(file) ? hostFile.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
  if (host === undefined || !isAlive(host.pid)) {
    throw new Error(`No local host is running on ${data}. Start one (npm start), or name its directory (--data DIR).`);
  }
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const { s3: endpoint } = host.endpoints;
  const s3 = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true });
  return { s3, bucket: host.outputs.ArchiveBucketName };
}

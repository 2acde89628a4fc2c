import { S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { engineClient, findRunningHost } from "../../local/index.ts";

const schema = z.object({ ArchiveBucketName: z.string() });

/** The bucket of the local host that runs on a data directory. Throws an Error that says what to do when none does. */
export function findLake(data: string): { s3: S3Client; bucket: string } {
  const host = findRunningHost(data);
  if (!host) {
    throw new Error(`No local host is running on ${data}. Start one (npm start), or name its directory (--data DIR).`);
  }
  const s3 = new S3Client({ ...engineClient(host.endpoints.s3), forcePathStyle: true });
  return { s3, bucket: schema.parse(host.outputs).ArchiveBucketName };
}

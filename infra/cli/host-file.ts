import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { isAlive } from "../local/dynamodb/process-identity.ts";

const hostFile = z.object({
  pid: z.number(),
  url: z.string(),
  endpoints: z.object({ dynamodb: z.string(), s3: z.string(), sqs: z.string() }),
  outputs: z.object({
    ConversationsTableName: z.string(),
    MetricsTableName: z.string(),
    ArchiveBucketName: z.string(),
    DeadLetterQueueUrl: z.string(),
  }),
});

export type RunningHost = z.infer<typeof hostFile>;

/** What a client of the running host's engines is made with. */
export const clientOf = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});

/** Where the host that runs on a data directory has everything. Throws an Error that says what to do when none runs. */
export function findHost(data: string): RunningHost {
  let text: string | undefined;
  try {
    text = readFileSync(path.join(data, "host.json"), "utf8");
  } catch {
    // No host has run here.
  }
  const host = text === undefined ? undefined : hostFile.parse(JSON.parse(text));
  if (host && isAlive(host.pid)) return host;
  throw new Error(`No local host is running on ${data}: start one (npm start), or name its directory (--data DIR).`);
}

import { z } from "zod";
import { findRunningHost } from "../local/index.ts";

const schema = z.object({
  url: z.string(),
  endpoints: z.object({ dynamodb: z.string(), s3: z.string(), sqs: z.string() }),
  outputs: z.object({
    ConversationsTableName: z.string(),
    MetricsTableName: z.string(),
    ArchiveBucketName: z.string(),
    DeadLetterQueueUrl: z.string(),
  }),
});

/** Where the host that runs on a data directory has everything. Throws an Error that says what to do when none runs. */
export function findHost(data: string): z.infer<typeof schema> {
  const host = findRunningHost(data);
  if (host) return schema.parse(host);
  throw new Error(`No local host is running on ${data}: start one (npm start), or name its directory (--data DIR).`);
}

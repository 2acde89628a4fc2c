import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { toInstant } from "../../../shared/clock.ts";
import { createTable, type Table } from "../../../shared/dynamodb/table.ts";
import type { RawMetric } from "../../../shared/metrics/aggregate.ts";
import { rawPartition, rawShards } from "../../../shared/metrics/metric-keys.ts";
import { createSessionStore } from "../../../shared/session/session-store.dynamodb.ts";
import { engineClient } from "../../local/index.ts";
import type { FoundHost } from "../find-host.ts";

/** Seconds of metrics in one sample. */
export const LOOK_BACK = 60;

/** Milliseconds between two counts of all sessions: a count reads an index entry per session. */
const COUNT_EVERY = 10_000;

/** Stack outputs that name what the sampler reads. */
export const TOP_OUTPUTS = ["ConversationsTableName", "MetricsTableName", "DeadLetterQueueUrl"] as const;

/** The state of a host at one time. */
export interface Sample {
  url: string;
  /** Epoch milliseconds. */
  at: number;
  /** Metrics of the last minute, with the epoch milliseconds at which the measured operation ended. */
  recent: (RawMetric & { at: number })[];
  /** Messages in the dead-letter queue. */
  queue: number;
  sessions: { hot: number; archived: number };
}

export type Sampler = ReturnType<typeof openSampler>;

/** Opens clients of the engines of a running host. It does not call the API, because its requests would appear in the samples. */
export function openSampler({ url, endpoints, outputs }: FoundHost<(typeof TOP_OUTPUTS)[number]>) {
  const dynamodb = new DynamoDBClient(engineClient(endpoints.dynamodb));
  const sqs = new SQSClient(engineClient(endpoints.sqs));
  const client = DynamoDBDocumentClient.from(dynamodb);
  const metrics = createTable(client, outputs.MetricsTableName);
  const conversations = createTable(client, outputs.ConversationsTableName);
  const sessions = createSessionStore(conversations);

  let all = { count: 0, countedAt: 0 };

  return {
    async sample(): Promise<Sample> {
      const at = Date.now();
      if (at - all.countedAt > COUNT_EVERY) all = { count: await countSessions(sessions), countedAt: at };
      const [recent, hot, queue] = await Promise.all([
        readRecent(metrics, at),
        sessions.countActive(),
        deadLetters(sqs, outputs.DeadLetterQueueUrl),
      ]);
      return { url, at, recent, queue, sessions: { hot, archived: Math.max(0, all.count - hot) } };
    },
    close() {
      dynamodb.destroy();
      sqs.destroy();
    },
  };
}

/** Reads the metrics of the last minute, from the partitions of this hour and, if that minute began in it, the previous hour. */
async function readRecent(table: Table, now: number): Promise<Sample["recent"]> {
  const since = toInstant(now - LOOK_BACK * 1000);
  const hours = new Set([since.slice(0, 13), toInstant(now).slice(0, 13)]);
  const found: Sample["recent"] = [];
  const readShard = async (hour: string, shard: number) => {
    const pages = table.pages({
      KeyConditionExpression: "pk = :pk AND sk >= :since",
      ExpressionAttributeValues: { ":pk": rawPartition(hour, shard), ":since": since },
    });
    for await (const { items } of pages) {
      for (const { sk, ...metric } of items as unknown as (RawMetric & { sk: string })[]) {
        found.push({ ...metric, at: Date.parse(sk.split("#")[0] ?? "") });
      }
    }
  };
  await Promise.all([...hours].flatMap((hour) => rawShards.map((shard) => readShard(hour, shard))));
  return found;
}

/** Counts hot and archived sessions, with the index that the reconciler reads. */
async function countSessions(sessions: ReturnType<typeof createSessionStore>): Promise<number> {
  let count = 0;
  for await (const page of sessions.all()) count += page.length;
  return count;
}

async function deadLetters(sqs: SQSClient, QueueUrl: string): Promise<number> {
  const AttributeNames = ["ApproximateNumberOfMessages" as const];
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
  return Number(Attributes?.ApproximateNumberOfMessages ?? 0);
}

import { gunzipSync } from "node:zlib";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { sessionKey } from "../../../shared/dynamodb/keys.ts";
import { saidBy, type Written } from "./conversations.ts";

/** The stored conversations, in the archive and in the table, compared with the expected ones. */
interface Stock {
  /** Sessions with an archive object. */
  archivedSessions: number;
  /** Messages in the archive, and in the table. */
  archived: number;
  hot: number;
  /** Messages that are not stored, and messages that are stored more than once or were never written. */
  lost: number;
  duplicated: number;
  objects: number;
  bytes: number;
  /** Contents of files. */
  files: number;
}

interface Places {
  endpoints: { dynamodb: string; s3: string };
  table: string;
  bucket: string;
}

/** Number of sessions to check at the same time. */
const PARALLEL = 8;

const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

/** Reads the whole archive, and the table per session, and compares them message by message with the written conversations. */
export async function takeStock({ endpoints, table, bucket }: Places, written: readonly Written[]): Promise<Stock> {
  const expected = new Map<string, Map<string, number>>();
  for (const { user, session, messages } of written) {
    expected.set(`${user}/${session}`, countOf(messages.map(({ content, parts }) => saidBy(content, parts))));
  }
  const stock: Stock = {
    archivedSessions: 0,
    archived: 0,
    hot: 0,
    lost: 0,
    duplicated: 0,
    objects: 0,
    bytes: 0,
    files: 0,
  };
  const take = (owner: string, content: string) => {
    const left = expected.get(owner)?.get(content) ?? 0;
    if (left === 0) stock.duplicated++;
    else expected.get(owner)?.set(content, left - 1);
  };

  const s3 = new S3Client({ ...client, endpoint: endpoints.s3, forcePathStyle: true });
  for await (const _file of objectsOf(s3, bucket, "files/")) stock.files++;
  for await (const { key, size } of objectsOf(s3, bucket, "archive/")) {
    stock.objects++;
    stock.bytes += size;
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const lines = gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array())
      .toString("utf8")
      .trim()
      .split("\n");
    const [header, ...messages] = lines.map((line) => JSON.parse(line));
    stock.archivedSessions++;
    stock.archived += messages.length;
    for (const { content, parts } of messages) take(`${header.user_id}/${header.id}`, saidBy(content, parts));
  }
  s3.destroy();

  const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({ ...client, endpoint: endpoints.dynamodb }));
  // Query by session, because a scan of the table would also read all memories with their vectors.
  const left = written.values();
  const count = async () => {
    for (const { user, session } of left) {
      for await (const content of messagesOf(dynamodb, table, sessionKey(user, session))) {
        stock.hot++;
        take(`${user}/${session}`, content);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, count));
  dynamodb.destroy();

  for (const contents of expected.values()) for (const left of contents.values()) stock.lost += left;
  return stock;
}

async function* messagesOf(dynamodb: DynamoDBDocumentClient, table: string, pk: string): AsyncIterable<string> {
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :messages)",
        ExpressionAttributeValues: { ":pk": pk, ":messages": "M#" },
        ConsistentRead: true,
        ExclusiveStartKey,
      }),
    );
    for (const { content, parts } of page.Items ?? []) {
      yield saidBy(String(content), parts === undefined ? undefined : JSON.parse(String(parts)));
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
}

async function* objectsOf(s3: S3Client, Bucket: string, Prefix: string): AsyncIterable<{ key: string; size: number }> {
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
    for (const { Key = "", Size = 0 } of page.Contents ?? []) yield { key: Key, size: Size };
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
}

function countOf(contents: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const content of contents) counts.set(content, (counts.get(content) ?? 0) + 1);
  return counts;
}

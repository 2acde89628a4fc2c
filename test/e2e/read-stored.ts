import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams";
import { paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Host } from "../../infra/local/host.ts";
import type { StoredItem, StoredTable } from "../support/item-kinds.ts";

const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

/** The logical ids of the tables. */
const tables: Record<StoredTable, RegExp> = {
  conversations: /^Conversations/,
  metrics: /^Metrics/,
  exports: /^Exports/,
  auditOutbox: /^AuditOutbox/,
  audit: /^Audit(?!Outbox)/,
};

export function tableName(host: Host, table: StoredTable): string {
  const [, name] = Object.entries(host.names("AWS::DynamoDB::Table")).find(([id]) => tables[table].test(id)) ?? [];
  return name ?? "";
}

export type StoredItems = [table: StoredTable, item: StoredItem][];

/** Every item that a host has stored: those of streams although they are deleted by now, and those that the tables hold. */
export async function readItems(host: Host): Promise<StoredItems> {
  const names = Object.entries(host.names("AWS::DynamoDB::Table"));
  const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({ ...client, endpoint: host.endpoints.dynamodb }));
  const streams = new DynamoDBStreamsClient({ ...client, endpoint: host.endpoints.streams });
  const all: StoredItems = [];
  try {
    for (const [id, TableName] of names) {
      const table = (Object.keys(tables) as StoredTable[]).find((key) => tables[key].test(id));
      if (!table) throw new Error(`no kinds of items are known of the table ${id}`);
      for await (const { Items = [] } of paginateScan({ client: dynamodb }, { TableName })) {
        all.push(...Items.map((item): [StoredTable, StoredItem] => [table, item]));
      }
      for await (const item of imagesOf(streams, TableName)) all.push([table, item]);
    }
  } finally {
    dynamodb.destroy();
    streams.destroy();
  }
  return all;
}

/** Yields the new images in the stream of a table; none when it has no stream. */
async function* imagesOf(streams: DynamoDBStreamsClient, TableName: string): AsyncIterable<StoredItem> {
  const { Streams = [] } = await streams.send(new ListStreamsCommand({ TableName }));
  for (const { StreamArn } of Streams) {
    const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    for (const { ShardId } of StreamDescription?.Shards ?? []) {
      const from = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
      let { ShardIterator } = await streams.send(new GetShardIteratorCommand(from));
      for (let empty = 0; ShardIterator && empty < 3; ) {
        const { Records = [], NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator }));
        for (const { dynamodb } of Records) {
          if (dynamodb?.NewImage) yield unmarshall(dynamodb.NewImage as Parameters<typeof unmarshall>[0]);
        }
        empty = Records.length > 0 ? 0 : empty + 1;
        ShardIterator = NextShardIterator;
      }
    }
  }
}

/** The keys of all objects of a host. */
export async function readKeys(host: Host): Promise<string[]> {
  const s3 = new S3Client({ ...client, endpoint: host.endpoints.s3, forcePathStyle: true });
  const keys: string[] = [];
  try {
    for (const Bucket of Object.values(host.names("AWS::S3::Bucket"))) {
      for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket })) {
        keys.push(...Contents.map(({ Key = "" }) => Key));
      }
    }
  } finally {
    s3.destroy();
  }
  return keys;
}

import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import { paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import { type DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { MEMORIES_BY_TIME, SESSIONS_BY_ACTIVITY } from "../dynamodb/tables.ts";

/** The size of a store. */
export interface StoreSize {
  store: string;
  bytes: number;
  items: number;
}

/** Groups of objects in the archive's bucket, by their key prefix without the slash. */
const GROUPS = ["archive", "exports", "files", "lake", "reports"] as const;

interface Stores {
  dynamodb: DynamoDBDocumentClient;
  s3: S3Client;
  conversations: string;
  metrics: string;
  exports: string;
  bucket: string;
}

/**
 * Measures the tables, the sessions and their messages, the index of memories, and each group of objects. DynamoDB updates its sizes about
 * every six hours. The count of sessions reads their index, about 400 bytes (0.05 read units) per session. A group costs one request per
 * 1,000 objects.
 */
export async function measureStores(stores: Stores): Promise<StoreSize[]> {
  const sizes = await Promise.all([
    measureConversations(stores),
    measureTable(stores, "metrics", stores.metrics),
    measureTable(stores, "export_records", stores.exports),
    ...GROUPS.map((group) => measureObjects(stores, group)),
  ]);
  return sizes.flat();
}

async function measureConversations(stores: Stores): Promise<StoreSize[]> {
  const [{ sessions, messages }, { table, indexes }] = await Promise.all([
    countSessions(stores),
    describe(stores, stores.conversations),
  ]);
  return [
    { store: "conversations", ...table },
    { store: "sessions", bytes: indexes.get(SESSIONS_BY_ACTIVITY)?.bytes ?? 0, items: sessions },
    // Messages have no index, so their bytes within the table are unknown.
    { store: "messages", bytes: 0, items: messages },
    { store: "memories", ...(indexes.get(MEMORIES_BY_TIME) ?? { bytes: 0, items: 0 }) },
  ];
}

async function measureTable(stores: Stores, store: string, name: string): Promise<StoreSize[]> {
  return [{ store, ...(await describe(stores, name)).table }];
}

type Size = Omit<StoreSize, "store">;

/** Reads the sizes of a table and of its indexes by name. The local engine reports 0 for every index. */
async function describe({ dynamodb }: Stores, TableName: string): Promise<{ table: Size; indexes: Map<string, Size> }> {
  const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
  const indexes = (Table?.GlobalSecondaryIndexes ?? []).map(
    ({ IndexName = "", IndexSizeBytes = 0, ItemCount = 0 }) =>
      [IndexName, { bytes: IndexSizeBytes, items: ItemCount }] as const,
  );
  return { table: { bytes: Table?.TableSizeBytes ?? 0, items: Table?.ItemCount ?? 0 }, indexes: new Map(indexes) };
}

/** Counts the sessions, active and archived, and their messages. */
async function countSessions({
  dynamodb: client,
  conversations,
}: Stores): Promise<{ sessions: number; messages: number }> {
  const counts = { sessions: 0, messages: 0 };
  const index = { TableName: conversations, IndexName: SESSIONS_BY_ACTIVITY, ProjectionExpression: "message_count" };
  for await (const { Items = [] } of paginateScan({ client }, index)) {
    for (const { message_count } of Items) {
      counts.sessions++;
      counts.messages += Number(message_count ?? 0);
    }
  }
  return counts;
}

async function measureObjects(
  { s3: client, bucket: Bucket }: Stores,
  store: (typeof GROUPS)[number],
): Promise<StoreSize> {
  const size = { store, bytes: 0, items: 0 };
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: `${store}/` })) {
    for (const { Size = 0 } of Contents) {
      size.bytes += Size;
      size.items++;
    }
  }
  return size;
}

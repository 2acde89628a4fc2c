import { DescribeTableCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { MEMORIES_BY_TIME, SESSIONS_BY_ACTIVITY } from "../dynamodb/tables.ts";

/** How much a store holds. */
export interface StoreSize {
  store: string;
  bytes: number;
  items: number;
}

/** Groups of objects in the archive's bucket, by their key prefix without the slash. */
const GROUPS = ["archive", "files", "lake", "reports"] as const;

interface Stores {
  dynamodb: Pick<DynamoDBClient, "send">;
  s3: Pick<S3Client, "send">;
  conversations: string;
  metrics: string;
  bucket: string;
}

/**
 * Measures the tables, the indexes with one entry per session and per memory, and each group of objects. DynamoDB updates its sizes about
 * every six hours. A group costs one request per 1,000 objects.
 */
export async function measureStores(stores: Stores): Promise<StoreSize[]> {
  const sizes = await Promise.all([
    measureTable(stores, "conversations", { sessions: SESSIONS_BY_ACTIVITY, memories: MEMORIES_BY_TIME }),
    measureTable(stores, "metrics", {}),
    ...GROUPS.map((group) => measureObjects(stores, group)),
  ]);
  return sizes.flat();
}

async function measureTable(
  stores: Stores,
  store: "conversations" | "metrics",
  indexes: Record<string, string>,
): Promise<StoreSize[]> {
  const { Table } = await stores.dynamodb.send(new DescribeTableCommand({ TableName: stores[store] }));
  const ofIndexes = Object.entries(indexes).map(([store, name]) => {
    const index = Table?.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === name);
    return { store, bytes: index?.IndexSizeBytes ?? 0, items: index?.ItemCount ?? 0 };
  });
  return [{ store, bytes: Table?.TableSizeBytes ?? 0, items: Table?.ItemCount ?? 0 }, ...ofIndexes];
}

async function measureObjects({ s3, bucket }: Stores, store: (typeof GROUPS)[number]): Promise<StoreSize> {
  const size = { store, bytes: 0, items: 0 };
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${store}/`, ContinuationToken }));
    for (const { Size = 0 } of page.Contents ?? []) {
      size.bytes += Size;
      size.items++;
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  return size;
}

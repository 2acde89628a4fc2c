import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  paginateScan,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { ItemJson, RawRecord } from "./stream-record.ts";

/** DynamoDB ignores expiry times of more than five years ago. */
const OLDEST = 5 * 365 * 86_400;

/** The value of index keys that the host adds to expired items. */
export const FILLER = "local-host:no-key-of-this-index";

/** A table with TTL. */
export interface ExpiringTable {
  TableName: string;
  keys: string[];
  /** The keys of all indexes that are strings. */
  indexKeys: string[];
  /** The attribute with the expiry time in epoch seconds. */
  ttl: string;
}

/**
 * Gives each expired item the index keys that it lacks, because the TTL of DynamoDB Local 2.6 stops at the first expired item that lacks
 * a key of any index. Then DynamoDB Local deletes the items itself. Stream records do not show the added keys (see `withoutFillers`).
 * Resolves with the number of items.
 */
export async function completeExpired(client: DynamoDBClient, tables: readonly ExpiringTable[]): Promise<number> {
  const seconds = Math.floor(Date.now() / 1000);
  let completed = 0;
  for (const { TableName, keys, indexKeys, ttl } of tables) {
    if (indexKeys.length === 0) continue;
    const names = [...new Set([ttl, ...keys, ...indexKeys])];
    const nameOf = (name: string) => `#${names.indexOf(name)}`;
    const scan = {
      TableName,
      ConsistentRead: true,
      FilterExpression: `${nameOf(ttl)} BETWEEN :oldest AND :newest AND (${indexKeys
        .map((key) => `attribute_not_exists(${nameOf(key)})`)
        .join(" OR ")})`,
      ProjectionExpression: names.map(nameOf).join(),
      ExpressionAttributeNames: Object.fromEntries(names.map((name) => [nameOf(name), name])),
      // An item that expires in this second has not expired yet.
      ExpressionAttributeValues: { ":oldest": { N: String(seconds - OLDEST) }, ":newest": { N: String(seconds - 1) } },
    };
    for await (const { Items = [] } of paginateScan({ client }, scan)) {
      for (const item of Items) {
        const Key = Object.fromEntries(Object.entries(item).filter(([name]) => keys.includes(name)));
        const missing = indexKeys.filter((key) => item[key] === undefined);
        if (await complete(client, { TableName, Key }, missing, ttl, item[ttl])) completed += 1;
      }
    }
  }
  return completed;
}

/** Adds the missing keys if the expiry time is still the same. Resolves with whether it did. */
async function complete(
  client: DynamoDBClient,
  item: { TableName: string; Key: Record<string, AttributeValue> },
  missing: readonly string[],
  ttl: string,
  time: AttributeValue | undefined,
): Promise<boolean> {
  if (!time) return false;
  try {
    await client.send(
      new UpdateItemCommand({
        ...item,
        UpdateExpression: `SET ${missing.map((_, n) => `#${n} = if_not_exists(#${n}, :filler)`).join(", ")}`,
        ConditionExpression: "#ttl = :time",
        ExpressionAttributeNames: { "#ttl": ttl, ...Object.fromEntries(missing.map((key, n) => [`#${n}`, key])) },
        ExpressionAttributeValues: { ":time": time, ":filler": { S: FILLER } },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

/** Removes the keys that the host has added from the images of a record. */
export function withoutFillers(raw: RawRecord): RawRecord {
  const { OldImage, NewImage } = raw.dynamodb;
  return {
    ...raw,
    dynamodb: {
      ...raw.dynamodb,
      ...(OldImage && { OldImage: withoutFiller(OldImage) }),
      ...(NewImage && { NewImage: withoutFiller(NewImage) }),
    },
  };
}

const withoutFiller = (item: ItemJson): ItemJson =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => value.S !== FILLER));

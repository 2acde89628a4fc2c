import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  paginateScan,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { EXPIRED_MARK } from "./expired-mark.ts";

/** DynamoDB ignores expiry times of more than five years ago. */
const OLDEST = 5 * 365 * 86_400;

/** A table with TTL. */
export interface ExpiringTable {
  TableName: string;
  keys: string[];
  /** The attribute with the expiry time in epoch seconds. */
  ttl: string;
}

/**
 * Deletes expired items in an engine that the host did not start, and resolves with their number. The TTL of DynamoDB Local 2.6 stops
 * at the first expired item that lacks a key of any index. Each item is marked before it is deleted, so that its stream record shows a
 * TTL deletion (see `readMark`). An item whose expiry time changes meanwhile stays.
 * @param now milliseconds
 */
export async function deleteExpired(
  client: DynamoDBClient,
  tables: readonly ExpiringTable[],
  now = Date.now(),
): Promise<number> {
  const seconds = Math.floor(now / 1000);
  let deleted = 0;
  for (const { TableName, keys, ttl } of tables) {
    const names = [...new Set([ttl, ...keys])];
    const scan = {
      TableName,
      ConsistentRead: true,
      FilterExpression: "#0 BETWEEN :oldest AND :newest",
      ProjectionExpression: names.map((_, n) => `#${n}`).join(),
      ExpressionAttributeNames: Object.fromEntries(names.map((name, n) => [`#${n}`, name])),
      // An item that expires in this second has not expired yet.
      ExpressionAttributeValues: { ":oldest": { N: String(seconds - OLDEST) }, ":newest": { N: String(seconds - 1) } },
    };
    for await (const { Items = [] } of paginateScan({ client }, scan)) {
      for (const item of Items) {
        const Key = Object.fromEntries(Object.entries(item).filter(([name]) => keys.includes(name)));
        if (await expire(client, TableName, Key, ttl, item[ttl])) deleted += 1;
      }
    }
  }
  return deleted;
}

/** Deletes an item if its expiry time is still the same. Resolves with whether it did. */
async function expire(
  client: DynamoDBClient,
  TableName: string,
  Key: Record<string, AttributeValue>,
  ttl: string,
  time: AttributeValue | undefined,
): Promise<boolean> {
  if (!time) return false;
  const guarded = {
    TableName,
    Key,
    ExpressionAttributeNames: { "#ttl": ttl, "#mark": EXPIRED_MARK },
    ExpressionAttributeValues: { ":time": time, ":mark": { M: { [ttl]: time } } },
  };
  try {
    await client.send(
      new UpdateItemCommand({ ...guarded, UpdateExpression: "SET #mark = :mark", ConditionExpression: "#ttl = :time" }),
    );
    await client.send(new DeleteItemCommand({ ...guarded, ConditionExpression: "#ttl = :time AND #mark = :mark" }));
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

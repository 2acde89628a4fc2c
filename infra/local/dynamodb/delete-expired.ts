import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  paginateScan,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { EXPIRED_MARK } from "./expired-mark.ts";

/** DynamoDB leaves items alone whose time lies more than five years back. */
const OLDEST = 5 * 365 * 86_400;

/** A table with TTL. */
export interface ExpiringTable {
  TableName: string;
  keys: string[];
  /** The attribute with the time in epoch seconds. */
  ttl: string;
}

/**
 * Deletes the expired items of tables in an engine that the host did not start, and gives how many. DynamoDB Local 2.6 has a TTL of its own,
 * but it ends for good at the first expired item that lacks a key of any index. So that functions see a deletion by TTL in the stream, as on
 * AWS, an item is marked before it is deleted (see `readMark`). An item whose time has changed meanwhile stays.
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
      // AWS deletes what has expired, not what expires this second.
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

/** Resolves with whether it was there, and still expired. */
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

import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { ensureTable } from "../../../../infra/local/dynamodb/ensure-table.ts";

export const quiet = () => undefined;

export function clientOf(endpoint: string): DynamoDBClient {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  return new DynamoDBClient({ endpoint, region: "eu-west-1", credentials });
}

/** The template properties of a table with a stream and TTL. */
export const streamed = {
  TableName: "items",
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
  ],
  StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" },
  TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
};

export async function ensureStreamed(client: DynamoDBClient): Promise<string> {
  const { streamArn } = await ensureTable(client, streamed, quiet);
  return streamArn!;
}

/** Puts an item with the key pk, "s". `attributes` are strings and numbers. */
export async function put(client: DynamoDBClient, pk: string, attributes: Record<string, string | number> = {}) {
  const Item = Object.fromEntries(
    Object.entries({ pk, sk: "s", ...attributes }).map(([name, value]) => [
      name,
      typeof value === "number" ? { N: String(value) } : { S: value },
    ]),
  );
  await client.send(new PutItemCommand({ TableName: "items", Item }));
}

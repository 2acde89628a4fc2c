import { DescribeTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { isObject, type JsonObject } from "../formats/format.ts";
import { findHistory } from "../formats/langchain.ts";
import type { Input } from "./open-inputs.ts";

/** Items per page of a scan, so that a page of large items is not held in memory while its sessions are sent. */
const PAGE = 25;

/**
 * Opens a table of LangChain's `DynamoDBChatMessageHistory`. Each item is a session. The SDK takes the region, the credentials and the
 * endpoint from the environment: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB.
 * @throws Error when the table cannot be described.
 */
export async function openTable(table: string): Promise<Input> {
  const client = new DynamoDBClient({});
  const { Table } = await client.send(new DescribeTableCommand({ TableName: table })).catch((error: Error) => {
    throw new Error(`table ${table}: ${error.message}`, { cause: error });
  });
  const keys = (Table?.KeySchema ?? []).flatMap(({ AttributeName }) => AttributeName ?? []);
  // Round numbers that JavaScript cannot represent. Without this option, the client throws.
  const document = DynamoDBDocumentClient.from(client, { unmarshallOptions: { wrapNumbers: Number } });
  return {
    file: `table ${table}`,
    bytes: Table?.TableSizeBytes ?? 0,
    entries: [],
    async *records(onRead) {
      let count = 0;
      for await (const { Items = [] } of paginateScan({ client: document }, { TableName: table, Limit: PAGE })) {
        for (const item of Items) {
          const bytes = Buffer.byteLength(JSON.stringify(item));
          onRead(bytes);
          count += 1;
          const value = toHistory(item, keys);
          yield { place: `item ${count}`, bytes, content: value ? { value } : { problem: NO_HISTORY } };
        }
      }
      if (count === 0) yield { place: "file", bytes: 0, content: { problem: "the table has no items" } };
    },
  };
}

/** Renames the attributes of an item to the names that the format knows. Users choose the names of LangChain's attributes. */
function toHistory(item: JsonObject, keys: readonly string[]): JsonObject | undefined {
  // LangChain for JavaScript writes the name of the sort key as its value: leave it out of the id.
  const id = keys.flatMap((key) => (item[key] === key && key !== keys[0] ? [] : [String(item[key])])).join("#");
  const messages = findHistory(item);
  if (!messages) return undefined;
  const rest = Object.fromEntries(
    Object.entries(item).filter(([, value]) => !isObject(value) && !Array.isArray(value)),
  );
  return { ...rest, id, messages };
}

const NO_HISTORY = "the item has no attribute with messages of LangChain";

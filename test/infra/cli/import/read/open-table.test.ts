import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { joinRecords } from "../../../../../infra/cli/import/formats/join-records.ts";
import { openTable } from "../../../../../infra/cli/import/read/open-table.ts";
import { type Dynamo, startDynamo } from "../../../../../infra/local/dynamodb/start-dynamo.ts";
import { source } from "../fixtures.ts";

let dynamo: Dynamo;
let document: DynamoDBDocumentClient;

beforeAll(async () => {
  dynamo = await startDynamo({ directory: null, log: () => undefined });
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", dynamo.endpoint);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
  document = DynamoDBDocumentClient.from(new DynamoDBClient({}));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  document.destroy();
  await dynamo.close();
});

async function createTable(TableName: string, ...keys: string[]): Promise<void> {
  await document.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: keys.map((AttributeName, n) => ({ AttributeName, KeyType: n === 0 ? "HASH" : "RANGE" })),
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    }),
  );
}

const put = (TableName: string, Item: Record<string, unknown>) => document.send(new PutCommand({ TableName, Item }));
const history = (content: string) => [{ type: "human", data: { content, additional_kwargs: {} } }];

/** The sessions in a table, as "id: first message", in the order of their ids. */
async function sessionsIn(table: string): Promise<string[]> {
  const found: string[] = [];
  const { records } = await openTable(table);
  for await (const { content } of joinRecords(records(() => undefined))) {
    if ("problem" in content) found.push(content.problem);
    else {
      const { id, messages } = content.format.read(content.records, source())!;
      found.push(`${id}: ${messages[0]?.content}`);
    }
  }
  return found.sort();
}

test("all pages of a table of LangChain for Python are read", async () => {
  await createTable("SessionTable", "SessionId");
  for (let n = 0; n < 60; n++)
    await put("SessionTable", { SessionId: `s${n}`, History: history(`hello ${n}`), n: 2n ** 60n });
  expect(await sessionsIn("SessionTable")).toEqual(Array.from({ length: 60 }, (_, n) => `s${n}: hello ${n}`).sort());
});

test("a table of LangChain for JavaScript is read with any names of its attributes", async () => {
  await createTable("chats", "user", "messages_of");
  const said = [{ type: "human", text: "hi", additional_kwargs: "{}" }];
  await put("chats", { user: "ann", messages_of: "messages_of", list: said });
  await put("chats", { user: "ann", messages_of: "trip", list: said });
  await put("chats", { user: "bob", messages_of: "other", balance: 5 });
  expect(await sessionsIn("chats")).toEqual([
    "ann#trip: hi",
    "ann: hi",
    "the item has no attribute with messages of LangChain",
  ]);
});

test("an error names a table that has no items or does not exist", async () => {
  await createTable("empty", "SessionId");
  expect(await sessionsIn("empty")).toEqual(["the table has no items"]);
  await expect(openTable("gone")).rejects.toThrow(/^table gone: /);
});

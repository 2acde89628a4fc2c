import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type DynamoDBClient, PutItemCommand, QueryCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureTable } from "../../../../infra/local/dynamodb/ensure-table.ts";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { createSweeper } from "../../../../infra/local/dynamodb/sweeper.ts";
import { clientOf, quiet } from "./streamed-table.ts";

let directory: string;
let dynamo: Dynamo;
let client: DynamoDBClient;
let streamArn: string;
let db: DatabaseSync;
const now = Math.floor(Date.now() / 1000);

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  dynamo = await startDynamo({ directory, log: quiet });
  client = clientOf(dynamo.endpoint);
  const ensured = await ensureTable(client, table, quiet);
  streamArn = ensured.streamArn ?? "";
  db = new DatabaseSync(path.join(directory, "database.sqlite"));
});

afterEach(async () => {
  db.close();
  client.destroy();
  await dynamo.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A table with every kind of index, a numeric key, and a TTL attribute whose name needs escaping. */
const table = {
  TableName: "items",
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "n", KeyType: "RANGE" },
  ],
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "n", AttributeType: "N" },
    { AttributeName: "owner", AttributeType: "S" },
  ],
  GlobalSecondaryIndexes: [index("by_owner", "owner")],
  VectorIndexes: [
    {
      IndexName: "vectors",
      VectorAttribute: { AttributeName: "vector" },
      SearchSchema: [{ AttributeName: "owner", SearchSchemaElementType: "HASH" }],
      Projection: { ProjectionType: "ALL" },
      Dimensions: 2,
      DistanceFunction: "COSINE",
    },
  ],
  StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" },
  TimeToLiveSpecification: { AttributeName: "gone.at", Enabled: true },
};

function index(IndexName: string, ...keys: string[]) {
  const KeySchema = keys.map((AttributeName, n) => ({ AttributeName, KeyType: n === 0 ? "HASH" : "RANGE" }));
  return { IndexName, KeySchema, Projection: { ProjectionType: "ALL" } };
}

const item = (n: number, goneAt?: number) => ({
  pk: { S: "a" },
  n: { N: String(n) },
  owner: { S: "alice" },
  vector: { L: [{ N: "1" }, { N: String(n) }] },
  ...(goneAt === undefined ? {} : { "gone.at": { N: String(goneAt) } }),
});

const put = (Item: ReturnType<typeof item>) => client.send(new PutItemCommand({ TableName: "items", Item }));

/** Number of entries of the table and of its indexes, by their names in the engine's database. */
const entries = () =>
  db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND (name = 'items' OR name LIKE 'items::%')")
    .all()
    .map(({ name }) => [name, db.prepare(`SELECT COUNT(*) AS n FROM "${name}"`).get()?.n]);

describe("a TTL sweep", () => {
  it("deletes expired items from the table and from all its indexes", async () => {
    await put(item(1, now - 10));
    await put(item(2, now + 1000));
    await put(item(3));
    expect(await dynamo.sweepTtl()).toBe(1);
    expect(Object.fromEntries(entries())).toEqual({
      items: 2,
      "items::gsi::by_owner": 2,
      "items::vector::vectors": 2,
    });
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName: "items",
        IndexName: "by_owner",
        KeyConditionExpression: "#owner = :owner",
        ExpressionAttributeNames: { "#owner": "owner" },
        ExpressionAttributeValues: { ":owner": { S: "alice" } },
      }),
    );
    expect(Items.map(({ n }) => n?.N).sort()).toEqual(["2", "3"]);
    expect((await client.send(new ScanCommand({ TableName: "items" }))).Count).toBe(2);
  });

  it("writes stream records with the sequence numbers after the engine's own", async () => {
    await put(item(1, now - 10));
    expect(await dynamo.sweepTtl()).toBe(1);
    await put(item(1));
    const iterator = await dynamo.streams.iterator(streamArn, "shardId-00000001-items");
    const { records } = await dynamo.streams.records(iterator, streamArn);
    expect(records.map(({ eventName, dynamodb }) => [eventName, dynamodb.SequenceNumber])).toEqual([
      ["INSERT", "1"],
      ["REMOVE", "2"],
      ["INSERT", "3"],
    ]);
    expect(records[1]).toMatchObject({
      userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      dynamodb: { Keys: { pk: { S: "a" }, n: { N: "1" } }, OldImage: item(1, now - 10) },
    });
    expect(Object.keys(records[1]?.dynamodb.Keys ?? {})).toEqual(["pk", "n"]);
  });

  it("ends when no expired item is left, and runs once at a time", async () => {
    for (let n = 0; n < 230; n++) await put(item(n, now - 10));
    expect(await Promise.all([dynamo.sweepTtl(), dynamo.sweepTtl()])).toEqual([230, 230]);
    expect(await dynamo.sweepTtl()).toBe(0);
  });

  it("finds expired items with an index", async () => {
    await createSweeper(db)();
    const time = `CAST(json_extract(item_json, '$."gone.at".N') AS REAL)`;
    const plan = db.prepare(`EXPLAIN QUERY PLAN SELECT 1 FROM items WHERE ${time} < 1 LIMIT 1`).all();
    expect(JSON.stringify(plan)).toContain("memocha_ttl_items_gone.at");
  });

  it("waits for the transaction of another process without blocking this one", async () => {
    await put(item(1, now - 10));
    db.exec("BEGIN IMMEDIATE");
    const sweep = dynamo.sweepTtl();
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 5);
    await sleep(100);
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(3);
    db.exec("ROLLBACK");
    expect(await sweep).toBe(1);
  });
});

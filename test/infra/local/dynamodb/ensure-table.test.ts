import { DescribeTableCommand, DescribeTimeToLiveCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureTable } from "../../../../infra/local/dynamodb/ensure-table.ts";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { clientOf, quiet, streamed } from "./streamed-table.ts";

let dynamo: Dynamo;
let client: DynamoDBClient;

beforeAll(async () => {
  dynamo = await startDynamo({ directory: null, log: quiet });
  client = clientOf(dynamo.endpoint);
});

afterAll(() => dynamo.close());

const described = async (TableName: string) => (await client.send(new DescribeTableCommand({ TableName }))).Table!;
const ttlOf = async (TableName: string) =>
  (await client.send(new DescribeTimeToLiveCommand({ TableName }))).TimeToLiveDescription;
const byOwner = {
  IndexName: "by_owner",
  KeySchema: [{ AttributeName: "owner", KeyType: "HASH" }],
  Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["title"] },
};
const owner = { AttributeName: "owner", AttributeType: "S" };
const vectors = {
  IndexName: "memories",
  VectorAttribute: { AttributeName: "embedding" },
  SearchSchema: [{ AttributeName: "owner", SearchSchemaElementType: "HASH" }],
  Projection: { ProjectionType: "KEYS_ONLY" },
  Dimensions: 4,
  DistanceFunction: "COSINE",
};

describe("a table of the template", () => {
  it("is created with its indexes, stream, TTL and vector index", async () => {
    const made = await ensureTable(
      client,
      {
        ...streamed,
        TableName: "complete",
        AttributeDefinitions: [...streamed.AttributeDefinitions, owner],
        GlobalSecondaryIndexes: [byOwner],
        VectorIndexes: [vectors],
      },
      quiet,
    );
    const table = await described("complete");
    expect(made.arn).toBe("arn:aws:dynamodb:eu-west-1:000000000000:table/complete");
    expect(made.streamArn).toBe(`${made.arn}/stream/${table.LatestStreamLabel}`);
    expect(table.GlobalSecondaryIndexes).toMatchObject([byOwner]);
    expect(table.VectorIndexes).toMatchObject([{ IndexName: "memories", Dimensions: 4, DistanceFunction: "COSINE" }]);
    expect(table.StreamSpecification?.StreamViewType).toBe("NEW_AND_OLD_IMAGES");
    expect(await ttlOf("complete")).toEqual({ AttributeName: "expires_at", TimeToLiveStatus: "ENABLED" });
  });

  it("is updated without a new stream", async () => {
    const TableName = "growing";
    const first = await ensureTable(client, { ...streamed, TableName, TimeToLiveSpecification: undefined }, quiet);
    const second = await ensureTable(
      client,
      {
        ...streamed,
        TableName,
        AttributeDefinitions: [...streamed.AttributeDefinitions, owner],
        GlobalSecondaryIndexes: [byOwner],
        VectorIndexes: [vectors],
        TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
      },
      quiet,
    );
    expect(second.streamArn).toBe(first.streamArn);
    const table = await described(TableName);
    expect(table.GlobalSecondaryIndexes).toMatchObject([byOwner]);
    expect(table.VectorIndexes).toMatchObject([{ IndexName: "memories" }]);
    expect(await ttlOf(TableName)).toEqual({ AttributeName: "expires_at", TimeToLiveStatus: "ENABLED" });
  });

  it("recreates a vector index whose dimensions have changed, with a warning", async () => {
    const TableName = "redimensioned";
    const properties = { ...streamed, TableName, AttributeDefinitions: [...streamed.AttributeDefinitions, owner] };
    await ensureTable(client, { ...properties, VectorIndexes: [vectors] }, quiet);
    const warnings: string[] = [];
    await ensureTable(client, { ...properties, VectorIndexes: [{ ...vectors, Dimensions: 2 }] }, (line) =>
      warnings.push(line),
    );
    expect((await described(TableName)).VectorIndexes).toMatchObject([{ IndexName: "memories", Dimensions: 2 }]);
    expect(warnings).toEqual([
      expect.stringMatching(/memories is recreated, for 2 dimensions .* of 4 dimensions .*new vectors/),
    ]);
    await ensureTable(client, { ...properties, VectorIndexes: [{ ...vectors, Dimensions: 2 }] }, (line) =>
      warnings.push(line),
    );
    expect(warnings).toHaveLength(1);
  });

  it("gets a vector index that the template adds, and loses one that the template removes", async () => {
    const TableName = "renamed";
    const properties = { ...streamed, TableName, AttributeDefinitions: [...streamed.AttributeDefinitions, owner] };
    // DynamoDB refuses indexes of different dimensions on one attribute.
    const of = (IndexName: string, Dimensions: number) => ({
      ...vectors,
      IndexName,
      VectorAttribute: { AttributeName: `embedding_${Dimensions}` },
      Dimensions,
    });
    const warnings: string[] = [];
    const ensure = async (...VectorIndexes: object[]) => {
      await ensureTable(client, { ...properties, VectorIndexes }, (line) => warnings.push(line));
      const { VectorIndexes: indexes = [] } = await described(TableName);
      return indexes.map(({ IndexName, Dimensions }) => `${IndexName} ${Dimensions}`).sort();
    };
    expect(await ensure(of("first", 4), of("second", 3))).toEqual(["first 4", "second 3"]);
    expect(warnings).toEqual([]);
    expect(await ensure(of("second", 3))).toEqual(["second 3"]);
    expect(await ensure(of("second", 3), of("third", 2))).toEqual(["second 3", "third 2"]);
    expect(warnings).toEqual([
      "Table renamed: the vector index first is removed, because the template no longer has it.",
      "Table renamed: the vector index third is being added. Searches fail until it is filled, for about half a minute.",
    ]);
  });

  it("gets the TTL attribute that the template names", async () => {
    const ttl = (AttributeName: string) => ({ TimeToLiveSpecification: { AttributeName, Enabled: true } });
    await ensureTable(client, { ...streamed, TableName: "moved", ...ttl("expires_at") }, quiet);
    await ensureTable(client, { ...streamed, TableName: "moved", ...ttl("gone_at") }, quiet);
    expect(await ttlOf("moved")).toEqual({ AttributeName: "gone_at", TimeToLiveStatus: "ENABLED" });
  });

  it("causes an error when it exists with another key", async () => {
    await ensureTable(client, { ...streamed, TableName: "keyed" }, quiet);
    const KeySchema = [{ AttributeName: "pk", KeyType: "HASH" }];
    await expect(ensureTable(client, { ...streamed, TableName: "keyed", KeySchema }, quiet)).rejects.toThrow(
      "exists with another key",
    );
  });
});

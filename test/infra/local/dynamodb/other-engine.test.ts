import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { DescribeStreamCommand, DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { completeExpired, FILLER } from "../../../../infra/local/dynamodb/complete-expired.ts";
import { ensureTable } from "../../../../infra/local/dynamodb/ensure-table.ts";
import { hasVectors } from "../../../../infra/local/dynamodb/has-vectors.ts";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { createStreamReader } from "../../../../infra/local/dynamodb/stream-reader.ts";
import { startStreamsProxy } from "../../../../infra/local/dynamodb/streams-proxy.ts";
import { TTL_SERVICE } from "../../../../infra/local/dynamodb/sweeper.ts";
import type { Listening } from "../../../../infra/local/listen.ts";
import { startFakeDynamoDbLocal } from "./fake-dynamodb-local.ts";
import { clientOf, put, quiet, streamed } from "./streamed-table.ts";

const credentials = { accessKeyId: "mine", secretAccessKey: "secret" };
const vectors = {
  ...streamed,
  AttributeDefinitions: [...streamed.AttributeDefinitions, { AttributeName: "owner", AttributeType: "S" }],
  VectorIndexes: [
    {
      IndexName: "by_meaning",
      VectorAttribute: { AttributeName: "vector" },
      SearchSchema: [{ AttributeName: "owner", SearchSchemaElementType: "HASH" }],
      Projection: { ProjectionType: "KEYS_ONLY" },
      Dimensions: 2,
      DistanceFunction: "COSINE",
    },
  ],
};
const table = { TableName: "items", keys: ["pk", "sk"], indexKeys: [], ttl: "expires_at" };
const expiring = [{ ...table, indexKeys: ["owner"] }];
let dynamo: Dynamo;
let engine: Listening;

beforeAll(async () => {
  dynamo = await startDynamo({ directory: null, log: quiet });
  engine = await startFakeDynamoDbLocal(dynamo.endpoint, "mine");
});
afterAll(async () => {
  await engine.close();
  await dynamo.close();
});

const read = async (pk: string) =>
  (await clientOf(engine.url).send(new GetItemCommand({ TableName: "items", Key: { pk: { S: pk }, sk: { S: "s" } } })))
    .Item;
const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

/** The records of items with this partition key, read from the beginning of the stream. */
async function recordsOf(pk: string) {
  const { streamArn = "" } = await ensureTable(clientOf(engine.url), vectors, quiet, { vectors: false });
  const reader = createStreamReader(engine.url, credentials);
  const [shard] = await reader.shards(streamArn);
  const iterator = await reader.iterator(streamArn, shard?.shardId ?? "");
  const { records } = await reader.records(iterator, streamArn);
  return records.filter(({ dynamodb }) => dynamodb.Keys.pk?.S === pk);
}

describe("an engine without vector indexes", () => {
  it("is detected because it does not know SearchVectors", async () => {
    expect(await hasVectors(clientOf(engine.url), engine.url)).toBe(false);
    expect(await hasVectors(clientOf(dynamo.endpoint), dynamo.endpoint)).toBe(true);
  });

  it("causes an error with its endpoint when it does not answer", async () => {
    await expect(hasVectors(clientOf("http://127.0.0.1:9"), "http://127.0.0.1:9")).rejects.toThrow(
      /^No DynamoDB answers at http:\/\/127\.0\.0\.1:9: /,
    );
  });

  it("gets the template's table without vector indexes and without the attributes that only they use", async () => {
    const client = clientOf(engine.url);
    await expect(ensureTable(client, vectors, quiet)).rejects.toThrow("The number of attributes in key schema");
    const made = await ensureTable(client, vectors, quiet, { vectors: false });
    expect(made).toMatchObject({ expiring: table, arn: expect.stringContaining(":eu-west-1:") });
    expect(await ensureTable(client, vectors, quiet, { vectors: false })).toEqual(made);
  });

  it("finds a stream by the host's ARN, for the reader and for the SDK behind the proxy", async () => {
    await put(clientOf(engine.url), "found");
    expect(await recordsOf("found")).toMatchObject([{ eventName: "INSERT", awsRegion: "eu-west-1" }]);
    const { streamArn: StreamArn } = await ensureTable(clientOf(engine.url), vectors, quiet, { vectors: false });
    const proxy = await startStreamsProxy(engine.url, credentials);
    const other = { accessKeyId: "local", secretAccessKey: "local" };
    const streams = new DynamoDBStreamsClient({ endpoint: proxy.url, region: "eu-west-1", credentials: other });
    const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    expect(StreamDescription?.Shards).toHaveLength(1);
    streams.destroy();
    await proxy.close();
  });

  it("gets the ARN of an earlier stream unchanged", async () => {
    const reader = createStreamReader(engine.url, credentials);
    const earlier = "arn:aws:dynamodb:eu-west-1:000000000000:table/items/stream/2020-01-01T00:00:00.000";
    await expect(reader.shards(earlier)).rejects.toThrow("Requested resource not found");
  });
});

describe("the host's completion of expired items", () => {
  it("adds the missing index keys to expired items only, and no stream record shows them", async () => {
    const client = clientOf(engine.url);
    await put(client, "old", { expires_at: secondsAgo(10), value: "kept" });
    await put(client, "now", { expires_at: secondsAgo(-1000) });
    await put(client, "ancient", { expires_at: secondsAgo(6 * 365 * 86_400) });
    expect(await completeExpired(client, expiring)).toBe(1);
    expect(await read("old")).toMatchObject({ owner: { S: FILLER }, value: { S: "kept" } });
    expect([await read("now"), await read("ancient")].map((item) => item?.owner)).toEqual([undefined, undefined]);
    expect(await completeExpired(client, expiring)).toBe(0);
    await dynamo.sweepTtl();
    const [insert, remove, ...more] = await recordsOf("old");
    expect(more).toEqual([]);
    expect(remove).toMatchObject({ eventName: "REMOVE", userIdentity: TTL_SERVICE });
    expect(remove?.dynamodb.OldImage).toEqual(insert?.dynamodb.NewImage);
  });

  it("keeps an index key that the item has", async () => {
    await put(clientOf(engine.url), "owned", { expires_at: secondsAgo(10), owner: "anna" });
    const twoKeys = [{ ...table, indexKeys: ["owner", "since"] }];
    expect(await completeExpired(clientOf(engine.url), twoKeys)).toBeGreaterThan(0);
    expect(await read("owned")).toMatchObject({ owner: { S: "anna" }, since: { S: FILLER } });
  });

  it("leaves an item whose time changes before the update", async () => {
    await put(clientOf(engine.url), "revived", { expires_at: secondsAgo(10) });
    const client = clientOf(engine.url);
    client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === "UpdateItemCommand") {
          await put(clientOf(engine.url), "revived", { expires_at: secondsAgo(-1000) });
        }
        return next(args);
      },
      { step: "initialize" },
    );
    expect(await completeExpired(client, expiring)).toBe(0);
    expect((await read("revived"))?.owner).toBeUndefined();
  });

  it("covers the keys of all indexes that are strings", async () => {
    const index = (IndexName: string, hash: string, range: string) => ({
      IndexName,
      KeySchema: [
        { AttributeName: hash, KeyType: "HASH" },
        { AttributeName: range, KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "KEYS_ONLY" },
    });
    const indexed = {
      ...streamed,
      TableName: "indexed",
      AttributeDefinitions: [
        ...streamed.AttributeDefinitions,
        { AttributeName: "owner", AttributeType: "S" },
        { AttributeName: "size", AttributeType: "N" },
      ],
      GlobalSecondaryIndexes: [index("by_owner", "owner", "size"), index("by_key", "owner", "pk")],
    };
    const made = await ensureTable(clientOf(engine.url), indexed, quiet, { vectors: false });
    expect(made.expiring).toEqual({ ...table, TableName: "indexed", indexKeys: ["owner"] });
  });
});

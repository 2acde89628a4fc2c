import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from "@aws-sdk/client-dynamodb-streams";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { startStreamsProxy } from "../../../../infra/local/dynamodb/streams-proxy.ts";
import { clientOf, ensureStreamed, put, quiet } from "./streamed-table.ts";

let dynamo: Dynamo;
let proxy: Awaited<ReturnType<typeof startStreamsProxy>>;

beforeAll(async () => {
  dynamo = await startDynamo({ directory: null, log: quiet });
  proxy = await startStreamsProxy(dynamo.endpoint);
});

afterAll(async () => {
  await proxy.close();
  await dynamo.close();
});

it("the streams proxy shows TTL deletions to the SDK's client, and omits records of writes that changed nothing", async () => {
  const StreamArn = await ensureStreamed(clientOf(dynamo.endpoint));
  await put(clientOf(dynamo.endpoint), "a", { expires_at: 1_790_000_000 });
  await put(clientOf(dynamo.endpoint), "a", { expires_at: 1_790_000_000 });
  await put(clientOf(dynamo.endpoint), "b", { expires_at: Math.floor(Date.now() / 1000) - 5 });
  await dynamo.sweepTtl();

  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const streams = new DynamoDBStreamsClient({ endpoint: proxy.url, region: "eu-west-1", credentials });
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
  const { ShardIterator } = await streams.send(
    new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
  );
  const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
  expect(Records.map(({ eventName }) => eventName)).toEqual(["INSERT", "INSERT", "REMOVE", "REMOVE"]);
  for (const { userIdentity } of Records.slice(2)) {
    expect(userIdentity).toEqual({ Type: "Service", PrincipalId: "dynamodb.amazonaws.com" });
  }
});

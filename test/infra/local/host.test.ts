import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startDynamo } from "../../../infra/local/dynamodb/start-dynamo.ts";
import { type Host, type StartOptions, startHost } from "../../../infra/local/host.ts";
import type { Log } from "../../../infra/local/log.ts";
import { startFakeDynamoDbLocal } from "./dynamodb/fake-dynamodb-local.ts";
import { invokePermission, temporaryDirectory, writeAssembly } from "./fixture-assembly.ts";

const sdk = `import { createRequire } from "node:module";
const require = createRequire(${JSON.stringify(path.resolve("package.json"))});
const { DynamoDBClient, PutItemCommand, GetItemCommand } = require("@aws-sdk/client-dynamodb");
const { S3Client, PutObjectCommand, GetObjectCommand } = require("@aws-sdk/client-s3");
const table = process.env.TABLE, Bucket = process.env.BUCKET;
const dynamo = new DynamoDBClient({}), s3 = new S3Client({});
const put = (pk, value, more) => dynamo.send(new PutItemCommand({ TableName: table, Item: { pk: { S: pk }, value: { S: value }, ...more } }));
const get = async (pk) => (await dynamo.send(new GetItemCommand({ TableName: table, Key: { pk: { S: pk } }, ConsistentRead: true }))).Item?.value.S;
`;

const storeCode = `${sdk}
export const handler = async ({ httpMethod, pathParameters: { id }, body }) => {
  if (httpMethod === "PUT") {
    await put(id, body, id.includes("expired") && { expires_at: { N: "1790000000" } });
    if (id.startsWith("slow")) await new Promise((resolve) => setTimeout(resolve, 2000));
    await s3.send(new PutObjectCommand({ Bucket, Key: id, Body: body }));
    return { statusCode: 204 };
  }
  const item = await get(id);
  const object = await s3.send(new GetObjectCommand({ Bucket, Key: id })).then((o) => o.Body.transformToString(), (e) => e.name);
  return { statusCode: 200, body: JSON.stringify({ item: item ?? null, object }) };
};`;

const Table = { "Fn::GetAtt": ["Table", "Arn"] };
const putting = { Effect: "Allow", Action: "dynamodb:PutItem", Resource: Table };
const reading = [
  {
    Effect: "Allow",
    Action: ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"],
    Resource: { "Fn::GetAtt": ["Table", "StreamArn"] },
  },
  { Effect: "Allow", Action: "dynamodb:ListStreams", Resource: "*" },
];
const storing = [
  { Effect: "Allow", Action: ["dynamodb:PutItem", "dynamodb:GetItem"], Resource: Table },
  {
    Effect: "Allow",
    Action: ["s3:PutObject", "s3:GetObject"],
    Resource: { "Fn::Join": ["/", [{ "Fn::GetAtt": ["Bucket", "Arn"] }, "*"]] },
  },
  { Effect: "Allow", Action: "s3:ListBucket", Resource: { "Fn::GetAtt": ["Bucket", "Arn"] } },
];

const temporary = temporaryDirectory();
const assembly = path.join(temporary.directory, "assembly");
let data = "";
let count = 0;
const started: Host[] = [];
const said: string[] = [];
const log: Log = {
  info: (text) => void said.push(text),
  detail: () => {},
  warn: (text) => void said.push(`warning ${text}`),
  error: (text) => void said.push(`error ${text}`),
  request: () => {},
};

beforeAll(() => {
  const properties = {
    Timeout: 20,
    MemorySize: 256,
    Environment: { Variables: { TABLE: { Ref: "Table" }, BUCKET: { Ref: "Bucket" } } },
  };
  writeAssembly(assembly, {
    functions: {
      store: { code: storeCode, properties, policy: storing },
      streamed: {
        code: `${sdk}export const handler = async ({ Records }) => {
          for (const { eventName, dynamodb, userIdentity } of Records) {
            await put("seen-" + dynamodb.Keys.pk.S, [eventName, userIdentity?.principalId].filter(Boolean).join(" by "));
          }
        };`,
        properties,
        policy: [putting, ...reading],
      },
      failing: {
        code: 'export const handler = async () => { throw new Error("always"); };',
        policy: [{ Effect: "Allow", Action: "sqs:SendMessage", Resource: { "Fn::GetAtt": ["Queue", "Arn"] } }],
      },
      scheduled: {
        code: `${sdk}export const handler = async (event) => { await put(event.from ?? "rule", event["detail-type"] ?? "no event"); };`,
        properties,
        policy: [putting],
      },
    },
    routes: [
      { method: "GET", path: "/items/{id}", function: "store" },
      { method: "PUT", path: "/items/{id}", function: "store" },
    ],
    resources: {
      Table: {
        Type: "AWS::DynamoDB::Table",
        Properties: {
          KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
          AttributeDefinitions: [
            { AttributeName: "pk", AttributeType: "S" },
            { AttributeName: "owner", AttributeType: "S" },
          ],
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
          TimeToLiveSpecification: { AttributeName: "expires_at", Enabled: true },
          BillingMode: "PAY_PER_REQUEST",
          StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" },
        },
      },
      Bucket: {
        Type: "AWS::S3::Bucket",
        Properties: {
          VersioningConfiguration: { Status: "Enabled" },
          LifecycleConfiguration: { Rules: [{ Id: "old", Status: "Enabled", Prefix: "old/", ExpirationInDays: 1 }] },
        },
      },
      Queue: { Type: "AWS::SQS::Queue", Properties: {} },
      Cluster: { Type: "AWS::ECS::Cluster", Properties: {} },
      Mapping: {
        Type: "AWS::Lambda::EventSourceMapping",
        Properties: {
          EventSourceArn: { "Fn::GetAtt": ["Table", "StreamArn"] },
          FunctionName: { Ref: "streamed" },
          StartingPosition: "TRIM_HORIZON",
          BatchSize: 10,
          FilterCriteria: { Filters: [{ Pattern: '{"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"watch"}]}}}}' }] },
        },
      },
      RulePermission: invokePermission("scheduled", "events.amazonaws.com", { "Fn::GetAtt": ["Rule", "Arn"] }),
      Failures: {
        Type: "AWS::Lambda::EventInvokeConfig",
        Properties: {
          FunctionName: { Ref: "failing" },
          Qualifier: "$LATEST",
          MaximumRetryAttempts: 0,
          DestinationConfig: { OnFailure: { Destination: { "Fn::GetAtt": ["Queue", "Arn"] } } },
        },
      },
      Rule: {
        Type: "AWS::Events::Rule",
        Properties: {
          ScheduleExpression: "rate(1 day)",
          State: "ENABLED",
          Targets: [
            { Id: "0", Arn: { "Fn::GetAtt": ["scheduled", "Arn"] } },
            { Id: "1", Arn: { "Fn::GetAtt": ["scheduled", "Arn"] }, Input: '{"from":"input"}' },
          ],
        },
      },
    },
    outputs: { TableName: { Value: { Ref: "Table" } } },
  });
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((host) => host.stop()));
  said.length = 0;
});
afterAll(temporary.remove);

const start = async (options: Partial<StartOptions> = {}) => {
  const host = await startHost({ data, assembly, port: 0, log, ...options });
  started.push(host);
  return host;
};
const fresh = () => {
  data = path.join(temporary.directory, `data-${count++}`);
};
const put = async ({ url }: Host, id: string, body: string) => {
  expect((await fetch(`${url}/items/${id}`, { method: "PUT", body })).status).toBe(204);
};
const get = async ({ url }: Host, id: string) => await (await fetch(`${url}/items/${id}`)).json();

describe("a host of an assembly", () => {
  test("serves its routes with its functions, tables and buckets, and warns about unsupported resources", async () => {
    fresh();
    const host = await start();
    await put(host, "a", "hello");
    expect(await get(host, "a")).toEqual({ item: "hello", object: "hello" });
    expect(host.outputs).toEqual({ TableName: "Fixture-Table" });
    expect(host.names("AWS::S3::Bucket")).toEqual({ Bucket: "fixture-bucket" });
    expect(host.issuesTokens).toBe(false);
    expect(said.filter((text) => text.startsWith("warning"))).toEqual([
      "warning AWS::ECS::Cluster Cluster: the local host does not support this type of resource and ignores it",
    ]);
  });

  test("invokes functions by streams and by schedules", async () => {
    fresh();
    const host = await start({ scheduleEvery: 1 });
    await put(host, "watch-1", "x");
    await expect.poll(() => get(host, "seen-watch-1")).toMatchObject({ item: "INSERT" });
    await expect.poll(() => get(host, "rule")).toMatchObject({ item: "Scheduled Event" });
    await expect.poll(() => get(host, "input")).toMatchObject({ item: "no event" });
  });

  test("keeps its state across restarts, and deletes it with the option fresh", async () => {
    fresh();
    const first = await start();
    await put(first, "a", "kept");
    await first.stop();
    const second = await start();
    expect(await get(second, "a")).toEqual({ item: "kept", object: "kept" });
    await second.stop();
    const third = await start({ fresh: true });
    expect(await get(third, "a")).toEqual({ item: null, object: "NoSuchKey" });
  });

  test("writes its endpoints to host.json while it runs", async () => {
    fresh();
    const host = await start();
    const file = path.join(data, "host.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      pid: process.pid,
      url: host.url,
      endpoints: host.endpoints,
    });
    const client = new LambdaClient({
      endpoint: host.endpoints.lambda,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    const Payload = JSON.stringify({ httpMethod: "PUT", pathParameters: { id: "b" }, body: "by invoke" });
    await client.send(new InvokeCommand({ FunctionName: "store", Payload }));
    client.destroy();
    expect(await get(host, "b")).toEqual({ item: "by invoke", object: "by invoke" });
    await host.stop();
    expect(existsSync(file)).toBe(false);
  });

  test("sends an event whose last attempt failed to the queue of the template", async () => {
    fresh();
    const host = await start();
    const clients = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
    const lambda = new LambdaClient({ ...clients, endpoint: host.endpoints.lambda });
    const sqs = new SQSClient({ ...clients, endpoint: host.endpoints.sqs });
    await lambda.send(new InvokeCommand({ FunctionName: "failing", InvocationType: "Event", Payload: '{"a":1}' }));
    const QueueUrl = host.names("AWS::SQS::Queue").Queue;
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
    expect(JSON.parse(Messages?.[0]?.Body ?? "")).toMatchObject({
      requestContext: { condition: "RetriesExhausted" },
      requestPayload: { a: 1 },
      responsePayload: { errorMessage: "always" },
    });
    lambda.destroy();
    sqs.destroy();
  });

  test("waits for running requests when it is stopped, and leaves no process", async () => {
    fresh();
    const host = await start();
    const engine = Number(readFileSync(path.join(data, "dynamodb", "engine.pid"), "utf8").match(/\d+/)?.[0]);
    expect(alive(engine)).toBe(true);
    const writes = ["slow-x", "slow-y"].map((id) => put(host, id, id));
    for (const id of ["slow-x", "slow-y"]) {
      await expect.poll(() => get(host, id)).toMatchObject({ item: id });
    }
    await Promise.all([host.stop(), ...writes]);
    expect(alive(engine)).toBe(false);
    await expect(fetch(host.url)).rejects.toThrow();
  });

  test("fails to start when its port or its data directory is in use, and leaves nothing running", async () => {
    fresh();
    const host = await start();
    await expect(start()).rejects.toThrow(/Another host \(pid \d+\) is running on/);
    const taken = Number(new URL(host.url).port);
    const other = path.join(temporary.directory, `data-${count++}`);
    await expect(start({ data: other, port: taken })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await start({ data: other });
  });

  test("uses the DynamoDB that the environment names instead of the embedded one", async () => {
    fresh();
    const dynamo = await startDynamo({ directory: null, log: () => {} });
    vi.stubEnv("DYNAMODB_ENDPOINT", dynamo.endpoint);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "other");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    try {
      const host = await start();
      expect(host.endpoints).toMatchObject({ dynamodb: dynamo.endpoint });
      await put(host, "a", "elsewhere");
      expect(await get(host, "a")).toEqual({ item: "elsewhere", object: "elsewhere" });
      expect(existsSync(path.join(data, "dynamodb"))).toBe(false);
      await host.stop();
    } finally {
      vi.unstubAllEnvs();
      await dynamo.close();
    }
  });

  test("runs on an engine like DynamoDB Local: without vector indexes, with streams and TTL deletions", async () => {
    fresh();
    const dynamo = await startDynamo({ directory: null, log: () => {} });
    const local = await startFakeDynamoDbLocal(dynamo.endpoint);
    vi.stubEnv("DYNAMODB_ENDPOINT", local.url);
    try {
      const host = await start({ ttlSweep: 1 });
      expect(said.filter((text) => text.includes("vector"))).toEqual([
        "warning the DynamoDB engine has no vector indexes: tables are created without them",
      ]);
      await put(host, "watch-expired", "x");
      const deletion = { item: "REMOVE by dynamodb.amazonaws.com" };
      const seen = async () => {
        await dynamo.sweepTtl();
        return get(host, "seen-watch-expired");
      };
      await expect.poll(seen).toMatchObject(deletion);
      expect(await get(host, "watch-expired")).toMatchObject({ item: null });
      await host.stop();
    } finally {
      vi.unstubAllEnvs();
      await Promise.all([dynamo.close(), local.close()]);
    }
  });

  test("serves the same routes with one invocation at a time per worker", async () => {
    fresh();
    const host = await start({ isolate: true });
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(host, `i${i}`, String(i))));
    expect(await get(host, "i19")).toEqual({ item: "19", object: "19" });
  });

  test("stops every part that it started when it cannot read its assembly", async () => {
    fresh();
    await expect(start({ assembly: temporary.directory })).rejects.toThrow("is not a cloud assembly");
    rmSync(data, { recursive: true });
    await start();
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

import path from "node:path";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, startHost } from "../../../../infra/local/host.ts";
import { createLog } from "../../../../infra/local/log.ts";
import { temporaryDirectory, writeAssembly } from "../fixture-assembly.ts";

// Calls of functions to the engines, with the SDK's clients in the host, under the template's policies.

/** A function that makes the SDK call in its event and returns the outcome. */
const callerCode = `import { createRequire } from "node:module";
const require = createRequire(${JSON.stringify(path.resolve("package.json"))});
export const handler = async ({ package: name, client, command, input }) => {
  const sdk = require("@aws-sdk/" + name);
  const replaced = JSON.parse(JSON.stringify(input).replace(/\\$(\\w+)/g, (_, variable) => process.env[variable]));
  try {
    const { $metadata, ...output } = await new sdk[client]({}).send(new sdk[command](replaced));
    return { status: $metadata.httpStatusCode, output: output.Body ? await output.Body.transformToString() : output };
  } catch (error) {
    return { status: error.$metadata?.httpStatusCode, name: error.name, message: error.message };
  }
};`;

const arn = (id: string, ...below: string[]) => ({
  "Fn::Join": ["/", [{ "Fn::GetAtt": [id, "Arn"] }, ...below]],
});
const allow = (Action: string | string[], Resource: unknown, more: object = {}) => ({
  Effect: "Allow",
  Action,
  Resource,
  ...more,
});

const temporary = temporaryDirectory();
let host: Host;
let lambda: LambdaClient;

beforeAll(async () => {
  const assembly = path.join(temporary.directory, "assembly");
  const Variables = {
    TABLE: { Ref: "Table" },
    BUCKET: { Ref: "Bucket" },
    QUEUE: { Ref: "Queue" },
    SECRET: { Ref: "Secret" },
  };
  const properties = { Timeout: 20, MemorySize: 256, Environment: { Variables } };
  const keys = ["pk", "user"].map((AttributeName) => ({ AttributeName, AttributeType: "S" }));
  writeAssembly(assembly, {
    functions: {
      reader: {
        code: callerCode,
        properties,
        policy: [
          allow("dynamodb:GetItem", arn("Table")),
          allow("dynamodb:Query", arn("Table", "index", "by_*")),
          allow(["dynamodb:PutItem", "dynamodb:BatchWriteItem"], arn("Table")),
          allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], arn("Bucket", "own", "*")),
          allow("s3:ListBucket", arn("Bucket"), { Condition: { StringLike: { "s3:prefix": "own/*" } } }),
        ],
      },
      worker: {
        code: callerCode,
        properties,
        policy: [
          allow("dynamodb:*", arn("Table")),
          { Effect: "Deny", Action: "dynamodb:DeleteItem", Resource: "*" },
          allow("sqs:SendMessage", arn("Queue")),
          allow("secretsmanager:GetSecretValue", { Ref: "Secret" }),
          allow("lambda:InvokeFunction", arn("reader")),
          allow("s3:*", "*"),
        ],
      },
      stranger: { code: callerCode, properties },
    },
    resources: {
      Table: {
        Type: "AWS::DynamoDB::Table",
        Properties: {
          KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
          AttributeDefinitions: keys,
          BillingMode: "PAY_PER_REQUEST",
          GlobalSecondaryIndexes: ["by_user", "all_users"].map((IndexName) => ({
            IndexName,
            KeySchema: [{ AttributeName: "user", KeyType: "HASH" }],
            Projection: { ProjectionType: "ALL" },
          })),
        },
      },
      Bucket: { Type: "AWS::S3::Bucket", Properties: {} },
      BucketPolicy: {
        Type: "AWS::S3::BucketPolicy",
        Properties: {
          Bucket: { Ref: "Bucket" },
          PolicyDocument: {
            Statement: [
              {
                Effect: "Deny",
                Principal: { AWS: "*" },
                Action: "s3:*",
                Resource: arn("Bucket", "*"),
                Condition: { Bool: { "aws:SecureTransport": "false" } },
              },
              {
                Effect: "Deny",
                Principal: "*",
                Action: "s3:DeleteObject",
                Resource: arn("Bucket", "kept", "*"),
              },
              {
                Effect: "Allow",
                Principal: { AWS: arn("strangerRole") },
                Action: "s3:GetObject",
                Resource: arn("Bucket", "public", "*"),
              },
            ],
          },
        },
      },
      Queue: { Type: "AWS::SQS::Queue", Properties: {} },
      Secret: { Type: "AWS::SecretsManager::Secret", Properties: { GenerateSecretString: {} } },
    },
  });
  const log = createLog({ verbose: false, write: () => {} });
  host = await startHost({ data: path.join(temporary.directory, "data"), assembly, port: 0, log });
  lambda = new LambdaClient({
    endpoint: host.endpoints.lambda,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  await call("worker", "s3", "PutObject", { Bucket: "$BUCKET", Key: "kept/a", Body: "kept" });
  await call("worker", "s3", "PutObject", { Bucket: "$BUCKET", Key: "public/a", Body: "public" });
}, 60_000);
afterAll(async () => {
  lambda?.destroy();
  await host?.stop();
  temporary.remove();
});

const clients = {
  dynamodb: "DynamoDBClient",
  s3: "S3Client",
  sqs: "SQSClient",
  "secrets-manager": "SecretsManagerClient",
  lambda: "LambdaClient",
};

interface Outcome {
  status: number;
  name?: string;
  message?: string;
  output?: unknown;
}

async function call(from: string, service: keyof typeof clients, command: string, input: object): Promise<Outcome> {
  const event = { package: `client-${service}`, client: clients[service], command: `${command}Command`, input };
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: from, Payload: JSON.stringify(event) }));
  return JSON.parse(Buffer.from(Payload ?? []).toString()) as Outcome;
}

const session = (name: string) => `arn:aws:sts::000000000000:assumed-role/Fixture-${name}Role/${name}`;
const table = "arn:aws:dynamodb:us-east-1:000000000000:table/Fixture-Table";
const refusal = (from: string, action: string, resource: string) =>
  `User: ${session(from)} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;
const item = (pk: string) => ({ pk: { S: pk } });

describe("a function that calls DynamoDB", () => {
  test("gets AWS's error for a call that its role does not allow", async () => {
    expect(await call("stranger", "dynamodb", "PutItem", { TableName: "$TABLE", Item: item("a") })).toEqual({
      status: 400,
      name: "AccessDeniedException",
      message: refusal("stranger", "dynamodb:PutItem", table),
    });
    expect(await call("reader", "dynamodb", "GetItem", { TableName: "$TABLE", Key: item("a") })).toMatchObject({
      status: 200,
    });
  });

  test("may query only the indexes that its role names", async () => {
    const query = (IndexName: string) =>
      call("reader", "dynamodb", "Query", {
        TableName: "$TABLE",
        IndexName,
        KeyConditionExpression: "#u = :u",
        ExpressionAttributeNames: { "#u": "user" },
        ExpressionAttributeValues: { ":u": { S: "ann" } },
      });
    expect(await query("by_user")).toMatchObject({ status: 200 });
    expect(await query("all_users")).toMatchObject({
      message: refusal("reader", "dynamodb:Query", `${table}/index/all_users`),
    });
  });

  test("needs the action on every table of a batch", async () => {
    const batch = (from: string) =>
      call(from, "dynamodb", "BatchWriteItem", {
        RequestItems: { "Fixture-Table": [{ PutRequest: { Item: item("own-2") } }] },
      });
    expect(await batch("reader")).toMatchObject({ status: 200 });
    expect(await batch("stranger")).toMatchObject({ message: refusal("stranger", "dynamodb:BatchWriteItem", table) });
  });

  test("needs the action of every part of a transaction", async () => {
    const transact = (from: string, ...TransactItems: object[]) =>
      call(from, "dynamodb", "TransactWriteItems", { TransactItems });
    const put = { Put: { TableName: "$TABLE", Item: item("own-t") } };
    const remove = { Delete: { TableName: "$TABLE", Key: item("own-u") } };
    expect(await transact("reader", put)).toMatchObject({ status: 200 });
    expect(await transact("reader", put, remove)).toMatchObject({
      message: refusal("reader", "dynamodb:DeleteItem", table),
    });
    expect(await transact("worker", put, remove)).toMatchObject({
      message: `User: ${session("worker")} is not authorized to perform: dynamodb:DeleteItem on resource: ${table} with an explicit deny in an identity-based policy`,
    });
  });

  test("gets an error for an operation whose permissions the local host does not know", async () => {
    const Statement = 'SELECT * FROM "Fixture-Table"';
    expect(await call("worker", "dynamodb", "ExecuteStatement", { Statement })).toMatchObject({
      name: "UnknownOperationException",
      message: "The local host does not know which permissions ExecuteStatement needs",
    });
  });
});

describe("a function that calls S3", () => {
  const object = (Key: string) => ({ Bucket: "$BUCKET", Key });
  const denied = (from: string, action: string, key: string) => ({
    status: 403,
    name: "AccessDenied",
    message: refusal(from, action, `arn:aws:s3:::fixture-bucket${key}`),
  });

  test("gets AWS's error for a call that its role does not allow", async () => {
    expect(await call("reader", "s3", "PutObject", { ...object("own/a"), Body: "x" })).toMatchObject({ status: 200 });
    expect(await call("reader", "s3", "PutObject", { ...object("other/a"), Body: "x" })).toEqual(
      denied("reader", "s3:PutObject", "/other/a"),
    );
    expect(await call("reader", "s3", "CopyObject", { ...object("own/b"), CopySource: "$BUCKET/kept/a" })).toEqual(
      denied("reader", "s3:GetObject", "/kept/a"),
    );
  });

  test("gets 404 for a missing object only when it may list the bucket", async () => {
    expect(await call("reader", "s3", "GetObject", object("own/nothing"))).toEqual(
      denied("reader", "s3:ListBucket", ""),
    );
    expect(await call("worker", "s3", "GetObject", object("own/nothing"))).toMatchObject({ name: "NoSuchKey" });
  });

  test("may list only the prefixes that a condition names", async () => {
    const list = (Prefix?: string) => call("reader", "s3", "ListObjectsV2", { Bucket: "$BUCKET", Prefix });
    expect(await list("own/")).toMatchObject({ status: 200, output: { KeyCount: 1 } });
    expect(await list("kept/")).toEqual(denied("reader", "s3:ListBucket", ""));
    expect(await list()).toEqual(denied("reader", "s3:ListBucket", ""));
  });

  test("is denied and allowed calls by the policy of the bucket", async () => {
    expect(await call("worker", "s3", "DeleteObject", object("kept/a"))).toMatchObject({
      message: expect.stringContaining("with an explicit deny in a resource-based policy"),
    });
    expect(await call("stranger", "s3", "GetObject", object("public/a"))).toMatchObject({ output: "public" });
    expect(await call("stranger", "s3", "GetObject", object("kept/a"))).toMatchObject({ name: "AccessDenied" });
  });

  test("gets one result per key of DeleteObjects", async () => {
    const Objects = [{ Key: "own/a" }, { Key: "other/a" }];
    expect(await call("reader", "s3", "DeleteObjects", { Bucket: "$BUCKET", Delete: { Objects } })).toMatchObject({
      output: {
        Deleted: [{ Key: "own/a" }],
        Errors: [{ Key: "other/a", Code: "AccessDenied" }],
      },
    });
  });
});

describe("a function that calls another service", () => {
  test("gets an error from SQS for a call that its role does not allow", async () => {
    const message = { QueueUrl: "$QUEUE", MessageBody: "x" };
    expect(await call("worker", "sqs", "SendMessage", message)).toMatchObject({ status: 200 });
    expect(await call("worker", "sqs", "ReceiveMessage", { QueueUrl: "$QUEUE" })).toMatchObject({
      status: 403,
      message: refusal("worker", "sqs:receivemessage", "arn:aws:sqs:us-east-1:000000000000:Fixture-Queue"),
    });
    expect(await call("stranger", "sqs", "SendMessage", message)).toMatchObject({ status: 403 });
  });

  test("gets an error from Secrets Manager for a call that its role does not allow", async () => {
    const SecretId = "$SECRET";
    expect(await call("worker", "secrets-manager", "GetSecretValue", { SecretId })).toMatchObject({ status: 200 });
    expect(await call("reader", "secrets-manager", "GetSecretValue", { SecretId })).toMatchObject({
      name: "AccessDeniedException",
      message: refusal(
        "reader",
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:Fixture-Secret",
      ),
    });
  });

  test("may invoke only the functions that its role names", async () => {
    const Payload = JSON.stringify({ package: "client-s3", client: "S3Client", command: "nothing", input: {} });
    expect(await call("worker", "lambda", "Invoke", { FunctionName: "reader", Payload: "{}" })).toMatchObject({
      status: 200,
    });
    expect(await call("worker", "lambda", "Invoke", { FunctionName: "stranger", Payload })).toMatchObject({
      status: 403,
      name: "AccessDeniedException",
      message: refusal("worker", "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:stranger"),
    });
  });
});

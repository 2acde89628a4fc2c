import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDeployment } from "../../../../infra/cli/find-deployment.ts";
import { redriveQueue } from "../../../../infra/cli/redrive/redrive-queue.ts";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { startStreamsProxy } from "../../../../infra/local/dynamodb/streams-proxy.ts";
import { startSqs } from "../../../../infra/local/events/sqs.ts";
import { clientOf, ensureStreamed, put, quiet } from "../../local/dynamodb/streamed-table.ts";

const ARCHIVE = "arn:aws:lambda:us-east-1:000000000000:function:Memocha-dev-Jobs-jobsarchiveFunction1A2B";
const RECONCILE = "Memocha-dev-Jobs-jobsreconcileFunction3C4D";

interface Call {
  function: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  payload: any;
}

let data: string;
let dynamo: Dynamo;
let client: DynamoDBClient;
let streamArn: string;
let proxy: Awaited<ReturnType<typeof startStreamsProxy>>;
let sqs: Awaited<ReturnType<typeof startSqs>>;
let queueUrl: string;
let lambda: Server;
let calls: Call[];
/** The answer of the fake function. A thrown error becomes a function error. */
let answer: (call: Call) => unknown;

beforeEach(async () => {
  data = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  dynamo = await startDynamo({ directory: null, log: quiet });
  client = clientOf(dynamo.endpoint);
  streamArn = await ensureStreamed(client);
  proxy = await startStreamsProxy(dynamo.endpoint);
  sqs = await startSqs({ directory: null, log: quiet });
  queueUrl = sqs.ensureQueue("dead");
  calls = [];
  answer = () => null;
  lambda = createServer(async (request, response) => {
    const name = /functions\/([^/]+)\/invocations/.exec(request.url ?? "")?.[1] ?? "";
    const call = { function: decodeURIComponent(name), payload: JSON.parse(await text(request)) };
    calls.push(call);
    try {
      response.end(JSON.stringify(answer(call)));
    } catch (error) {
      const { name: errorType, message: errorMessage } = error as Error;
      response.setHeader("x-amz-function-error", "Unhandled");
      response.end(JSON.stringify({ errorType, errorMessage }));
    }
  });
  await new Promise<void>((resolve) => lambda.listen(0, "127.0.0.1", resolve));
  announce(process.pid);
});

afterEach(async () => {
  lambda.closeAllConnections();
  lambda.close();
  await sqs.close();
  await proxy.close();
  await dynamo.close();
  rmSync(data, { recursive: true, force: true });
});

const lambdaUrl = () => `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`;

function announce(pid: number): void {
  const endpoints = { dynamodb: dynamo.endpoint, streams: proxy.url, s3: "", sqs: sqs.url, lambda: lambdaUrl() };
  const outputs = { DeadLetterQueueUrl: queueUrl, ReconcileFunctionName: RECONCILE, ReembedFunctionName: "" };
  writeFileSync(path.join(data, "host.json"), JSON.stringify({ pid, url: "", endpoints, outputs }));
}

/** Runs the command. */
async function command(args: string[] = ["--data", data], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["infra/cli/redrive/redrive.ts", ...args], {
    env: { ...process.env, ...env },
  });
  const [code, out, err] = await Promise.all([
    new Promise((resolve) => child.once("close", resolve)),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, out, err };
}

/** Runs the command's function on the local host, because starting a process takes long. */
async function run(options: { list?: boolean; queue?: string } = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(`${line}\n`);
  const left = await redriveQueue(await findDeployment({ data }), { list: false, ...options, write });
  return { left, out: lines.join("") };
}

function failedBatch(start: number, end: number, batchSize: number): string {
  return JSON.stringify({
    requestContext: { functionArn: ARCHIVE, condition: "RetryAttemptsExhausted", approximateInvokeCount: 11 },
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
    version: "1.0",
    timestamp: "2026-11-21T10:00:00.000Z",
    DDBStreamBatchInfo: {
      shardId: "shardId-00000001-items",
      startSequenceNumber: String(start),
      endSequenceNumber: String(end),
      approximateArrivalOfFirstRecord: "2026-11-21T10:00:00Z",
      approximateArrivalOfLastRecord: "2026-11-21T10:00:00Z",
      batchSize,
      streamArn,
    },
  });
}

const failedEvent = JSON.stringify({
  version: "1.0",
  timestamp: "2026-11-21T10:00:00.000Z",
  requestContext: {
    functionArn: `arn:aws:lambda:us-east-1:000000000000:function:${RECONCILE}:$LATEST`,
    condition: "RetriesExhausted",
  },
  requestPayload: { source: "aws.events" },
  responsePayload: { errorType: "TypeError", errorMessage: "x is undefined" },
});

/** Puts header items "Z" of `names` that TTL deletes, which the archiver's filter accepts, beside other items. */
async function expireHeaders(...names: string[]): Promise<void> {
  for (const name of names) {
    await put(client, name, { sk: "Z", expires_at: Math.floor(Date.now() / 1000) - 5 });
    await put(client, name, { n: 1 });
  }
  await dynamo.sweepTtl();
}

const waiting = async () => {
  const response = await fetch(sqs.url, {
    method: "POST",
    headers: { "x-amz-target": "AmazonSQS.GetQueueAttributes", authorization: "AWS4-HMAC-SHA256 Credential=local" },
    body: JSON.stringify({ QueueUrl: queueUrl, AttributeNames: ["All"] }),
  });
  const { Attributes } = (await response.json()) as { Attributes: Record<string, string> };
  return Number(Attributes.ApproximateNumberOfMessages);
};

describe("npm run redrive", () => {
  it("reads failed stream records again and invokes their function with them, as Lambda does", async () => {
    await expireHeaders("a", "b");
    // Records 1 to 4 are puts, 5 and 6 the deletions, in any order.
    await sqs.send("dead", failedBatch(3, 6, 2));
    const { code, out } = await command();
    expect(out).toBe(
      `Dead letters of the local host on ${data}, queue dead\n` +
        "1. jobs-archive: 2 stream records, 3 to 6, 2026-11-21T10:00:00.000Z (RetryAttemptsExhausted)\n" +
        "   Done: 2 records delivered again.\n" +
        "All 1 done.\n",
    );
    expect(code).toBe(0);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.function).toBe(ARCHIVE);
    const records = calls[0]?.payload.Records as { dynamodb: { Keys: { pk: { S: string } } } }[];
    expect(records.map(({ dynamodb }) => dynamodb.Keys.pk.S).sort()).toEqual(["a", "b"]);
    expect(records[0]).toMatchObject({
      eventName: "REMOVE",
      eventSource: "aws:dynamodb",
      eventSourceARN: streamArn,
      userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      dynamodb: { ApproximateCreationDateTime: expect.any(Number), Keys: { sk: { S: "Z" } }, SequenceNumber: "5" },
    });
    expect(await waiting()).toBe(0);
  });

  it("invokes a function again with the event on which it failed", async () => {
    await sqs.send("dead", failedEvent);
    const { left, out } = await run();
    expect(out).toContain(
      "1. jobs-reconcile: an event, 2026-11-21T10:00:00.000Z (RetriesExhausted, TypeError: x is undefined)\n",
    );
    expect(calls).toEqual([
      { function: `arn:aws:lambda:us-east-1:000000000000:function:${RECONCILE}`, payload: { source: "aws.events" } },
    ]);
    expect([left, await waiting()]).toEqual([0, 0]);
  });

  it("delivers an event that EventBridge could not deliver", async () => {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const attribute = (StringValue: string) => ({ DataType: "String", StringValue });
    await new SQSClient({ endpoint: sqs.url, region: "us-east-1", credentials }).send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: '{"detail-type":"Scheduled Event"}',
        MessageAttributes: { TARGET_ARN: attribute(ARCHIVE), ERROR_CODE: attribute("NO_PERMISSIONS") },
      }),
    );
    const { out } = await run();
    expect(out).toContain("EventBridge could not deliver it: NO_PERMISSIONS");
    expect(calls).toEqual([{ function: ARCHIVE, payload: { "detail-type": "Scheduled Event" } }]);
    expect(await waiting()).toBe(0);
  });

  it("leaves messages that fail again, and unknown messages, in the queue", async () => {
    await expireHeaders("a");
    await sqs.send("dead", failedBatch(3, 3, 1));
    await sqs.send("dead", failedEvent);
    await sqs.send("dead", "hello");
    answer = (call) => {
      if (!call.payload.Records) throw new TypeError("still undefined");
      return { batchItemFailures: [{ itemIdentifier: "3" }] };
    };
    const { left, out } = await run();
    expect(left).toBe(3);
    expect(out).toContain("   Failed: record 3 failed again. Left in the queue.\n");
    expect(out).toContain("   Failed: TypeError: still undefined. Left in the queue.\n");
    expect(out).toContain("3. An unknown message: hello\n   Not a message of Memocha. Left in the queue.\n");
    expect(out).toMatch(/\n0 done, 3 left in the queue\.\n$/);
    expect(await waiting()).toBe(3);
  });

  it("runs the reconciler once for all records that have left the stream", async () => {
    await expireHeaders("a");
    await sqs.send("dead", failedBatch(900, 901, 2));
    await sqs.send("dead", failedBatch(950, 950, 1));
    const { left, out } = await run();
    expect(out.match(/its records have left the stream.*the reconciler was run instead/g)).toHaveLength(2);
    expect(calls).toEqual([{ function: RECONCILE, payload: {} }]);
    expect([left, await waiting()]).toEqual([0, 0]);
  });

  it("leaves the message in the queue when the reconciler fails", async () => {
    await sqs.send("dead", failedBatch(900, 901, 2));
    answer = () => {
      throw new Error("no");
    };
    expect(await run()).toMatchObject({
      left: 1,
      out: expect.stringContaining("Failed: Error: no. Left in the queue."),
    });
    expect(await waiting()).toBe(1);
  });

  it("lists the messages and changes nothing", async () => {
    await sqs.send("dead", failedBatch(1, 1, 1));
    const { left, out } = await run({ list: true });
    expect(out).toBe(
      `Dead letters of the local host on ${data}, queue dead\n` +
        "1. jobs-archive: 1 stream record, 1, 2026-11-21T10:00:00.000Z (RetryAttemptsExhausted)\n" +
        "1 message. Run the command without --list to deliver them again.\n",
    );
    expect([left, calls.length, await waiting()]).toEqual([1, 0, 1]);
    sqs.ensureQueue("other");
    expect((await run({ queue: "other" })).out).toContain("queue other\nThe queue is empty.\n");
    await expect(run({ queue: "none" })).rejects.toThrow(`There is no queue none on the local host on ${data}.`);
  });

  it("finds the queue and the reconciler of a deployment in its stack's outputs", async () => {
    await sqs.send("dead", failedBatch(900, 900, 1));
    const asked: string[] = [];
    const member = (key: string, value: string) =>
      `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`;
    const cloudFormation = createServer(async (request, response) => {
      const stack = new URLSearchParams(await text(request)).get("StackName") ?? "";
      asked.push(stack);
      response.setHeader("content-type", "text/xml");
      if (stack !== "Memocha-dev-Jobs") {
        response.statusCode = 400;
        response.end(
          `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id ${stack} does not exist</Message></Error></ErrorResponse>`,
        );
        return;
      }
      const outputs =
        member("DeadLetterQueueUrl", queueUrl) +
        member("ReconcileFunctionName", RECONCILE) +
        member("ReembedFunctionName", "reembed");
      response.end(
        `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>${stack}</StackName>` +
          `<Outputs>${outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
      );
    });
    await new Promise<void>((resolve) => cloudFormation.listen(0, "127.0.0.1", resolve));
    const env = {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      AWS_ENDPOINT_URL_CLOUDFORMATION: `http://127.0.0.1:${(cloudFormation.address() as AddressInfo).port}`,
      AWS_ENDPOINT_URL_SQS: sqs.url,
      AWS_ENDPOINT_URL_LAMBDA: lambdaUrl(),
      AWS_ENDPOINT_URL_DYNAMODB_STREAMS: proxy.url,
    };
    try {
      const { code, out } = await command(["--stage", "dev"], env);
      expect(out).toContain("Dead letters of the deployment dev, queue dead\n");
      expect([code, await waiting()]).toEqual([0, 0]);
      expect(calls).toEqual([{ function: RECONCILE, payload: {} }]);
      expect(await command(["--stage", "prod"], env)).toMatchObject({
        code: 1,
        err: "The stack Memocha-prod-Jobs cannot be read: Stack with id Memocha-prod-Jobs does not exist\n",
      });
      expect(asked).toEqual(["Memocha-dev-Jobs", "Memocha-prod-Jobs"]);
    } finally {
      cloudFormation.closeAllConnections();
      cloudFormation.close();
    }
  });

  it("says what to do when no host runs, and prints its usage", async () => {
    announce(2 ** 22 + 1);
    const gone = await command();
    expect(gone).toMatchObject({ code: 1, out: "" });
    expect(gone.err).toBe(
      `No local host is running on ${data}. Start one (npm start), name its directory (--data DIR), or name a deployment (--stage dev).\n`,
    );
    expect((await command(["--help"])).out).toContain("npm run redrive [-- --list]");
    expect(await command(["--wrong"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("npm run redrive -- --help"),
    });
  });
});

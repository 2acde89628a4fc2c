import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startSqs } from "../../../../infra/local/events/sqs.ts";

let directory: string;
let sqs: Awaited<ReturnType<typeof startSqs>>;
let client: SQSClient;
let QueueUrl: string;

async function start(): Promise<void> {
  sqs = await startSqs({ directory, log: () => undefined });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  client = new SQSClient({ endpoint: sqs.url, region: "eu-west-1", credentials, maxAttempts: 1 });
  QueueUrl = sqs.ensureQueue("dead");
}

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  await start();
});

afterEach(async () => {
  await sqs.close();
  rmSync(directory, { recursive: true, force: true });
});

const receive = async (options: Partial<ConstructorParameters<typeof ReceiveMessageCommand>[0]> = {}) =>
  (await client.send(new ReceiveMessageCommand({ QueueUrl, ...options }))).Messages ?? [];
const send = (MessageBody: string) => client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
const waiting = async () =>
  (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] })))
    .Attributes;

describe("the local SQS, to the SDK's client", () => {
  it("keeps a message until it is deleted, and hides it while a receiver works on it", async () => {
    await send('{"a":1}');
    await sqs.send("dead", "second");
    expect(await waiting()).toEqual({ ApproximateNumberOfMessages: "2" });
    const [first] = await receive({ VisibilityTimeout: 1, MessageSystemAttributeNames: ["All"] });
    expect(first).toMatchObject({ Body: '{"a":1}', Attributes: { ApproximateReceiveCount: "1" } });
    expect(await waiting()).toEqual({ ApproximateNumberOfMessages: "1" });
    expect((await receive({ MaxNumberOfMessages: 10 })).map(({ Body }) => Body)).toEqual(["second"]);
    expect(await receive()).toEqual([]);

    const [again] = await receive({ WaitTimeSeconds: 2, MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
    expect(again).toMatchObject({ MessageId: first?.MessageId, Attributes: { ApproximateReceiveCount: "2" } });
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again?.ReceiptHandle }));
    expect(await receive({ MaxNumberOfMessages: 10 })).toEqual([]);
  });

  it("shows a message again at once when its receiver sets its visibility timeout to 0", async () => {
    await send("x");
    const [message] = await receive();
    const { ReceiptHandle } = message!;
    await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    expect(await receive()).toHaveLength(1);
  });

  it("keeps its messages across a restart, also under the new queue URL", async () => {
    await send("kept");
    const old = QueueUrl;
    await sqs.close();
    await start();
    expect((await receive()).map(({ Body }) => Body)).toEqual(["kept"]);
    expect(new URL(QueueUrl).pathname).toBe(new URL(old).pathname);
  });

  it("carries message attributes", async () => {
    const MessageAttributes = { ErrorCode: { DataType: "String", StringValue: "200" } };
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x", MessageAttributes }));
    expect((await receive({ MessageAttributeNames: ["All"] }))[0]?.MessageAttributes).toEqual(MessageAttributes);
  });

  it("finds a queue by its name, and returns an error when it does not exist", async () => {
    expect((await client.send(new GetQueueUrlCommand({ QueueName: "dead" }))).QueueUrl).toBe(QueueUrl);
    await expect(client.send(new GetQueueUrlCommand({ QueueName: "none" }))).rejects.toBeInstanceOf(QueueDoesNotExist);
  });

  it("refuses unsupported operations with an error that names them", async () => {
    await expect(receive({ MaxNumberOfMessages: 11 })).rejects.toThrow("MaxNumberOfMessages");
    const response = await fetch(sqs.url, {
      method: "POST",
      headers: { "x-amz-target": "AmazonSQS.AddPermission", authorization: "AWS4-HMAC-SHA256 Credential=local" },
      body: "{}",
    });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { __type: "UnknownOperationException", message: 'The local SQS does not support the operation "AddPermission".' },
    ]);
  });

  it("answers a waiting receiver when it closes", async () => {
    const waitingReceiver = receive({ WaitTimeSeconds: 20 }).catch(() => []);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = Date.now();
    await sqs.close();
    await waitingReceiver;
    expect(Date.now() - started).toBeLessThan(1_000);
    await start();
  });
});

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BatchWriteItemCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import type { StreamRecord } from "../../../../infra/local/dynamodb/stream-record.ts";
import { startStreamPoller } from "../../../../infra/local/events/stream-poller.ts";
import { clientOf, ensureStreamed, put, quiet } from "../dynamodb/streamed-table.ts";

let directory: string;
let dynamo: Dynamo;
let client: DynamoDBClient;
let streamArn: string;
let pollers: ReturnType<typeof startStreamPoller>[];
let checkpointFile: string;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  checkpointFile = path.join(directory, "checkpoints", "job.json");
  dynamo = await startDynamo({ directory: null, log: quiet });
  client = clientOf(dynamo.endpoint);
  streamArn = await ensureStreamed(client);
  pollers = [];
});

afterEach(async () => {
  for (const poller of pollers) await poller.stop();
  await dynamo.close();
  rmSync(directory, { recursive: true, force: true });
});

const pkOf = (record: StreamRecord) => String(record.dynamodb.Keys.pk?.S);
const recordsIn = (event: object) => (event as { Records: StreamRecord[] }).Records;

function poll(
  invoke: (records: StreamRecord[]) => unknown,
  properties: Record<string, unknown> = {},
  options: Partial<Parameters<typeof startStreamPoller>[0]> = {},
): ReturnType<typeof startStreamPoller> {
  const poller = startStreamPoller({
    reader: dynamo.streams,
    streamArn,
    mapping: { FunctionName: "job", EventSourceArn: streamArn, StartingPosition: "TRIM_HORIZON", ...properties },
    invoke: async (event) => invoke(recordsIn(event)),
    checkpointFile,
    sendToDestination: async () => undefined,
    log: quiet,
    warn: quiet,
    backoff: { first: 5, most: 20 },
    ...options,
  });
  pollers.push(poller);
  return poller;
}

const until = (test: () => boolean) => expect.poll(test, { timeout: 8_000, interval: 10 }).toBe(true);

describe("a stream event source", () => {
  it("delivers records in the exact format of Lambda's events", async () => {
    const events: StreamRecord[] = [];
    poll((records) => events.push(...records));
    await put(client, "a", { n: 1, expires_at: Math.floor(Date.now() / 1000) - 5 });
    await dynamo.sweepTtl();
    await until(() => events.length === 2);
    const item = { pk: { S: "a" }, sk: { S: "s" }, n: { N: "1" }, expires_at: expect.anything() };
    const common = {
      eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventVersion: "1.1",
      eventSource: "aws:dynamodb",
      awsRegion: "eu-west-1",
      eventSourceARN: streamArn,
    };
    const change = {
      ApproximateCreationDateTime: expect.any(Number),
      Keys: { pk: { S: "a" }, sk: { S: "s" } },
      SizeBytes: expect.any(Number),
      StreamViewType: "NEW_AND_OLD_IMAGES",
    };
    expect(events).toEqual([
      { ...common, eventName: "INSERT", dynamodb: { ...change, SequenceNumber: "1", NewImage: item } },
      {
        ...common,
        eventName: "REMOVE",
        dynamodb: { ...change, SequenceNumber: "2", OldImage: item },
        userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      },
    ]);
  });

  it("delivers records that match any filter, and skips the others", async () => {
    const seen: string[] = [];
    const Filters = [{ Keys: { pk: { S: [{ prefix: "a" }] } } }, { Keys: { pk: { S: ["z"] } } }].map((dynamodb) => ({
      Pattern: JSON.stringify({ eventName: ["INSERT"], dynamodb }),
    }));
    poll((records) => seen.push(...records.map(pkOf)), { FilterCriteria: { Filters } });
    for (const pk of ["a1", "b", "z", "a2", "c"]) await put(client, pk);
    await put(client, "a1", { changed: 1 });
    await until(() => existsSync(checkpointFile) && readFileSync(checkpointFile, "utf8").includes('"6"'));
    expect(seen).toEqual(["a1", "z", "a2"]);
  });

  it("fills batches up to the batch size within the window", async () => {
    const batches: string[][] = [];
    poll((records) => batches.push(records.map(pkOf)), { BatchSize: 3, MaximumBatchingWindowInSeconds: 1 });
    const started = Date.now();
    for (const pk of ["1", "2", "3", "4"]) await put(client, pk);
    await until(() => batches.length === 1);
    expect(Date.now() - started).toBeLessThan(900);
    await until(() => batches.length === 2);
    expect(Date.now() - started).toBeGreaterThan(900);
    expect(batches).toEqual([["1", "2", "3"], ["4"]]);
  });

  it("processes several partitions at once, and each in order", async () => {
    const seen = new Map<string, number[]>();
    let running = 0;
    let most = 0;
    poll(
      async (records) => {
        most = Math.max(most, ++running);
        await sleep(5);
        for (const record of records) {
          seen.set(pkOf(record), [...(seen.get(pkOf(record)) ?? []), Number(record.dynamodb.Keys.sk?.S)]);
        }
        running--;
      },
      { ParallelizationFactor: 4, BatchSize: 5 },
    );
    for (let i = 0; i < 20; i++) {
      const items = Array.from({ length: 12 }, (_, p) => ({
        PutRequest: { Item: { pk: { S: `p${p}` }, sk: { S: String(i) } } },
      }));
      await client.send(new BatchWriteItemCommand({ RequestItems: { items } }));
    }
    await until(() => [...seen.values()].flat().length === 240);
    const inOrder = Array.from({ length: 20 }, (_, i) => i);
    expect([...seen.values()]).toEqual(Array(12).fill(inOrder));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it("keeps its checkpoint before a blocked partition while others continue, and redelivers from there", async () => {
    const seen: string[] = [];
    const first = poll(
      (records) => {
        if (records.some((record) => pkOf(record) === "stuck")) throw new Error("stuck");
        seen.push(...records.map(pkOf));
      },
      { ParallelizationFactor: 10, BatchSize: 1 },
    );
    await put(client, "before");
    await until(() => seen.includes("before"));
    await put(client, "stuck");
    for (let i = 0; i < 20; i++) await put(client, `k${i}`);
    await until(() => seen.length >= 15);
    await first.stop();
    expect(readFileSync(checkpointFile, "utf8")).toContain('"shardId-00000001-items":"1"');
    const again: string[] = [];
    poll((records) => again.push(...records.map(pkOf)));
    await until(() => again.length === 21);
    expect(again[0]).toBe("stuck");
  });

  it("sends Lambda's invocation record of a discarded batch to the destination, and continues", async () => {
    const sent: object[] = [];
    const seen: string[] = [];
    let refusals = 1;
    for (const pk of ["a", "poison", "b"]) await put(client, pk);
    poll(
      (records) => {
        if (records.some((record) => pkOf(record) === "poison")) throw new Error("poison");
        seen.push(...records.map(pkOf));
      },
      {
        FunctionName: "arn:aws:lambda:eu-west-1:000000000000:function:job",
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 1,
        DestinationConfig: { OnFailure: { Destination: "arn:aws:sqs:eu-west-1:000000000000:dead" } },
      },
      {
        async sendToDestination(record) {
          if (refusals-- > 0) throw new Error("the queue is away");
          sent.push(record);
        },
      },
    );
    await until(() => seen.length === 2);
    const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(sent).toEqual([
      {
        requestContext: {
          requestId: expect.any(String),
          functionArn: "arn:aws:lambda:us-east-1:000000000000:function:job",
          condition: "RetryAttemptsExhausted",
          approximateInvokeCount: expect.any(Number),
        },
        responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
        version: "1.0",
        timestamp: expect.any(String),
        DDBStreamBatchInfo: {
          shardId: "shardId-00000001-items",
          startSequenceNumber: "2",
          endSequenceNumber: "2",
          approximateArrivalOfFirstRecord: moment,
          approximateArrivalOfLastRecord: moment,
          batchSize: 1,
          streamArn,
        },
      },
    ]);
  });

  it("waits for the running batch when it stops, and does not deliver it again", async () => {
    let ended = false;
    let begun = false;
    const first = poll(async () => {
      begun = true;
      await sleep(150);
      ended = true;
    });
    await put(client, "a");
    await until(() => begun);
    await first.stop();
    expect(ended).toBe(true);
    const again: string[] = [];
    poll((records) => again.push(...records.map(pkOf)));
    await put(client, "b");
    await until(() => again.length > 0);
    expect(again).toEqual(["b"]);
  });

  it("continues at its position after the engine died", async () => {
    const seen: string[] = [];
    poll((records) => seen.push(...records.map(pkOf)));
    await put(client, "a");
    await until(() => seen.length === 1);
    const { pid } = dynamo;
    process.kill(pid, "SIGKILL");
    await until(() => dynamo.pid !== pid);
    await put(client, "b");
    await until(() => seen.length === 2);
    expect(seen).toEqual(["a", "b"]);
  });

  it("delivers a batch again when the host was killed during it", async () => {
    for (const pk of ["a", "b", "c"]) await put(client, pk);
    await killedInTheMiddleOf("b");
    const seen: string[] = [];
    poll((records) => seen.push(...records.map(pkOf)), { BatchSize: 1 });
    await until(() => seen.includes("c"));
    expect(seen).toEqual(["b", "c"]);
  });

  it("is refused when it does not start at the oldest record", () => {
    expect(() => poll(() => undefined, { StartingPosition: "LATEST" })).toThrow(
      "The event source of job starts at LATEST; the host knows TRIM_HORIZON only.",
    );
  });
});

/** Runs a poller in another process whose function never returns for the record `pk`, and kills the process then. */
async function killedInTheMiddleOf(pk: string): Promise<void> {
  const module = path.resolve("infra/local/events/stream-poller.ts");
  const readers = path.resolve("infra/local/dynamodb/stream-reader.ts");
  const code = `const { startStreamPoller } = await import(${JSON.stringify(module)});
    const { createStreamReader } = await import(${JSON.stringify(readers)});
    startStreamPoller({
      reader: createStreamReader(${JSON.stringify(dynamo.endpoint)}), streamArn: ${JSON.stringify(streamArn)},
      mapping: { FunctionName: "job", StartingPosition: "TRIM_HORIZON", BatchSize: 1 },
      checkpointFile: ${JSON.stringify(checkpointFile)}, sendToDestination: async () => {}, log() {}, warn() {},
      invoke: async (event) => {
        if (event.Records[0].dynamodb.Keys.pk.S !== ${JSON.stringify(pk)}) return;
        console.log("here");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      },
    });`;
  const host = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => host.stdout.once("data", resolve));
  host.kill("SIGKILL");
  await new Promise((resolve) => host.once("exit", resolve));
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { BatchWriteItemCommand, GetItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findBinary } from "../../../../infra/local/dynamodb/engine.ts";
import { type Dynamo, startDynamo } from "../../../../infra/local/dynamodb/start-dynamo.ts";
import { createStreamReader } from "../../../../infra/local/dynamodb/stream-reader.ts";
import { isAlive } from "../../../../infra/local/running-host.ts";
import { clientOf, ensureStreamed, put, quiet } from "./streamed-table.ts";

let directory: string;
let running: Dynamo[];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  running = [];
});

afterEach(async () => {
  for (const dynamo of running) await dynamo.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startDynamo>[0]> = {}): Promise<Dynamo> {
  const dynamo = await startDynamo({ directory, log: quiet, ...options });
  running.push(dynamo);
  return dynamo;
}

async function recordsOf(dynamo: Dynamo, streamArn: string) {
  const reader = createStreamReader(dynamo.endpoint);
  const [shard] = await reader.shards(streamArn);
  const iterator = await reader.iterator(streamArn, shard!.shardId);
  return (await reader.records(iterator, streamArn)).records;
}

const get = async (dynamo: Dynamo, pk: string) =>
  (
    await clientOf(dynamo.endpoint).send(
      new GetItemCommand({ TableName: "items", Key: { pk: { S: pk }, sk: { S: "s" } } }),
    )
  ).Item;

describe("the embedded DynamoDB", () => {
  it("deletes expired items in a sweep, and the stream shows a deletion by DynamoDB", async () => {
    const dynamo = await start();
    const client = clientOf(dynamo.endpoint);
    const streamArn = await ensureStreamed(client);
    await put(client, "expired", { expires_at: Math.floor(Date.now() / 1000) - 10 });
    await put(client, "fresh", { expires_at: Math.floor(Date.now() / 1000) + 1_000 });

    expect(await dynamo.sweepTtl()).toBe(1);
    expect(await dynamo.sweepTtl()).toBe(0);
    expect(await get(dynamo, "expired")).toBeUndefined();
    expect(await get(dynamo, "fresh")).toBeDefined();
    const removed = (await recordsOf(dynamo, streamArn)).filter((record) => record.eventName === "REMOVE");
    expect(removed).toHaveLength(1);
    expect(removed[0]).toMatchObject({
      eventSourceARN: streamArn,
      awsRegion: "eu-west-1",
      userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      dynamodb: { Keys: { pk: { S: "expired" } } },
    });
  });

  it("omits the record of a put that changed nothing", async () => {
    const dynamo = await start();
    const client = clientOf(dynamo.endpoint);
    const streamArn = await ensureStreamed(client);
    await put(client, "a", { x: 1 });
    await put(client, "a", { x: 1 });
    await put(client, "a", { x: 2 });
    const names = (await recordsOf(dynamo, streamArn)).map((record) => [record.eventName, record.dynamodb.NewImage]);
    expect(names).toEqual([
      ["INSERT", { pk: { S: "a" }, sk: { S: "s" }, x: { N: "1" } }],
      ["MODIFY", { pk: { S: "a" }, sk: { S: "s" }, x: { N: "2" } }],
    ]);
  });

  it("creates the index for stream writes at the first start", async () => {
    await (await start()).close();
    const db = new DatabaseSync(path.join(directory, "database.sqlite"));
    const plan = db
      .prepare(
        "EXPLAIN QUERY PLAN SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = 'items'",
      )
      .all();
    db.close();
    expect(JSON.stringify(plan)).toContain("USING COVERING INDEX memocha_stream_records_by_sequence");
  });

  it("keeps every acknowledged write when it is killed, and restarts on the same port", async () => {
    const lines: string[] = [];
    const dynamo = await start({ log: (line) => lines.push(line) });
    const client = clientOf(dynamo.endpoint);
    await ensureStreamed(client);
    await put(client, "a", { x: 1 });
    const { pid } = dynamo;
    process.kill(pid, "SIGKILL");
    await expect.poll(() => dynamo.pid).not.toBe(pid);
    expect((await get(dynamo, "a"))?.x).toEqual({ N: "1" });
    expect(await dynamo.sweepTtl()).toBe(0);
    expect(lines.join("\n")).toMatch(/died: SIGKILL.*\n.*runs again/);
  });

  it("ends its process when it is closed, and deletes a temporary directory", async () => {
    const dynamo = await start({ directory: null });
    await ensureStreamed(clientOf(dynamo.endpoint));
    await dynamo.close();
    expect(isAlive(dynamo.pid)).toBe(false);
  });

  it("ends the engine that a killed host left running, and finds the writes of that host", async () => {
    const { host, pid, endpoint } = await hostInAnotherProcess();
    await ensureStreamed(clientOf(endpoint));
    await put(clientOf(endpoint), "a", { x: 1 });
    host.kill("SIGKILL");
    await new Promise((resolve) => host.once("exit", resolve));
    expect(isAlive(pid)).toBe(true);

    const dynamo = await start();
    expect(isAlive(pid)).toBe(false);
    expect((await get(dynamo, "a"))?.x).toEqual({ N: "1" });
  });

  it("finds every acknowledged write after the host and the engine were killed together", async () => {
    const { host, pid, endpoint } = await hostInAnotherProcess();
    await ensureStreamed(clientOf(endpoint));
    for (let i = 0; i < 20; i++) await put(clientOf(endpoint), `k${i}`);
    host.kill("SIGKILL");
    process.kill(pid, "SIGKILL");
    await new Promise((resolve) => host.once("exit", resolve));
    const dynamo = await start();
    const found = await clientOf(dynamo.endpoint).send(new ScanCommand({ TableName: "items", Select: "COUNT" }));
    expect(found.Count).toBe(20);
  });

  it("does not end another process that has the id in the pid file", async () => {
    const stranger = spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"]);
    try {
      mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, "engine.pid"), String(stranger.pid));
      await start();
      expect(isAlive(stranger.pid!)).toBe(true);
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  it("deletes stream records that every event source has consumed, and never reuses a sequence number", async () => {
    const first = await start();
    const client = clientOf(first.endpoint);
    const streamArn = await ensureStreamed(client);
    for (let i = 1; i <= 6; i++) await put(client, `k${i}`);
    await first.close();
    const checkpoints = path.join(directory, "checkpoints");
    mkdirSync(checkpoints);
    const shards = (sequenceNumber: string) => ({ "shardId-00000001-items": sequenceNumber });
    writeFileSync(path.join(checkpoints, "a.json"), JSON.stringify({ streamArn, shards: shards("4") }));
    writeFileSync(path.join(checkpoints, "b.json"), JSON.stringify({ streamArn, shards: shards("6") }));

    const second = await start({ checkpoints });
    expect((await recordsOf(second, streamArn)).map((r) => r.dynamodb.SequenceNumber)).toEqual(["5", "6"]);
    await second.close();
    writeFileSync(path.join(checkpoints, "a.json"), JSON.stringify({ streamArn, shards: shards("6") }));
    const third = await start({ checkpoints });
    await put(clientOf(third.endpoint), "k7");
    expect((await recordsOf(third, streamArn)).map((r) => r.dynamodb.SequenceNumber)).toEqual(["6", "7"]);
  });

  it("gives stream records the time of this process, also when the engine has another date", async () => {
    // Fake the date of this process only: the engine keeps the real one.
    vi.useFakeTimers({ now: Date.now() + 400 * 86_400_000, toFake: ["Date"] });
    try {
      const now = Math.floor(Date.now() / 1000);
      const first = await start();
      const streamArn = await ensureStreamed(clientOf(first.endpoint));
      await put(clientOf(first.endpoint), "written");
      await put(clientOf(first.endpoint), "expired", { expires_at: now - 10 });
      expect(await first.sweepTtl()).toBe(1);
      await first.close();
      const { streams } = await start();
      const { records } = await streams.records("0", streamArn);
      expect(records.map(({ eventName }) => eventName)).toEqual(["INSERT", "INSERT", "REMOVE"]);
      for (const { dynamodb } of records)
        expect(Math.abs(dynamodb.ApproximateCreationDateTime - now)).toBeLessThan(120);
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps all stream records while the host is off, however long that is", async () => {
    const first = await start();
    const streamArn = await ensureStreamed(clientOf(first.endpoint));
    for (let i = 1; i <= 3; i++) await put(clientOf(first.endpoint), `k${i}`);
    await first.close();
    const db = new DatabaseSync(path.join(directory, "database.sqlite"));
    db.exec("UPDATE _stream_records SET created_at = created_at - 900000");
    db.close();
    const second = await start();
    expect((await recordsOf(second, streamArn)).map((r) => r.dynamodb.SequenceNumber)).toEqual(["1", "2", "3"]);
  });

  it("deletes stream records 24 hours older than the newest, consumed or not, and ignores checkpoints of an earlier stream", async () => {
    const first = await start();
    const client = clientOf(first.endpoint);
    const streamArn = await ensureStreamed(client);
    for (let i = 1; i <= 4; i++) await put(client, `k${i}`);
    await first.close();
    const db = new DatabaseSync(path.join(directory, "database.sqlite"));
    db.exec("UPDATE _stream_records SET created_at = created_at - 86500 WHERE id <= 2");
    db.close();
    const checkpoints = path.join(directory, "checkpoints");
    mkdirSync(checkpoints);
    const old = { streamArn: `${streamArn}.earlier`, shards: { "shardId-00000001-items": "900" } };
    writeFileSync(path.join(checkpoints, "a.json"), JSON.stringify(old));
    const second = await start({ checkpoints });
    expect((await recordsOf(second, streamArn)).map((r) => r.dynamodb.SequenceNumber)).toEqual(["3", "4"]);
  });

  // Measure processor time, because other programs do not change it.
  it.runIf(process.platform === "linux")(
    "uses no more processor time per write when the stream has many records",
    async () => {
      const dynamo = await start({ directory: null });
      const client = clientOf(dynamo.endpoint);
      await ensureStreamed(client);
      await dynamo.sweepTtl();
      const write = async (batches: number, prefix: string) => {
        const before = processorTime(dynamo.pid);
        for (let batch = 0; batch < batches; batch++) {
          const items = Array.from({ length: 25 }, (_, i) => ({
            PutRequest: { Item: { pk: { S: `${prefix}${batch}` }, sk: { S: String(i) } } },
          }));
          await client.send(new BatchWriteItemCommand({ RequestItems: { items } }));
        }
        return (processorTime(dynamo.pid) - before) / batches;
      };
      const first = await write(40, "a");
      await write(120, "b");
      const last = await write(40, "c");
      // Without the index, the last thousand of five thousand writes takes several times as long as the first thousand.
      expect(last).toBeLessThan(first * 2.5);
      expect((await client.send(new ScanCommand({ TableName: "items", Select: "COUNT", Limit: 1 }))).Count).toBe(1);
    },
  );

  it("says what to do when there is no executable for the machine", () => {
    expect(() => findBinary("plan9", "mips")).toThrow(
      /@dynoxide\/plan9-mips is not installed.*npm install.*DYNAMODB_ENDPOINT/,
    );
  });
});

/** Processor time of a process in hundredths of a second. */
function processorTime(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ").slice(11, 13);
  return Number(user) + Number(system);
}

/** Starts a host that the test kills, so that its engine keeps running. */
async function hostInAnotherProcess(): Promise<{ host: ChildProcess; pid: number; endpoint: string }> {
  const module = path.resolve("infra/local/dynamodb/start-dynamo.ts");
  const code = `const { startDynamo } = await import(${JSON.stringify(module)});
    const dynamo = await startDynamo({ directory: ${JSON.stringify(directory)}, log() {} });
    console.log(JSON.stringify({ pid: dynamo.pid, endpoint: dynamo.endpoint }));
    setInterval(() => 0, 1000);`;
  const host = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => host.stdout!.setEncoding("utf8").once("data", resolve));
  await sleep(20);
  expect(readFileSync(path.join(directory, "engine.pid"), "utf8")).toBe(String(JSON.parse(line).pid));
  return { host, ...JSON.parse(line) };
}

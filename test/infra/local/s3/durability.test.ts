import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterEach, beforeEach, expect, test } from "vitest";
import { insertBucket } from "../../../../infra/local/s3/bucket-operations.ts";
import { openStore } from "../../../../infra/local/s3/object-store.ts";
import { insertObject, listObjects } from "../../../../infra/local/s3/objects.ts";
import { startS3 } from "../../../../infra/local/s3/s3-server.ts";
import { bodyFiles, bucket, createClient, credentials, failure } from "./s3-fixture.ts";

let directory: string;
const running: ChildProcess[] = [];
const clients: S3Client[] = [];
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "s3-"));
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const child of running.splice(0)) await kill(child);
  await rm(directory, { recursive: true });
});

async function start(): Promise<{ child: ChildProcess; client: S3Client; url: string }> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "serve.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  const url = line.toString().trim();
  const client = createClient(url);
  clients.push(client);
  return { child, client, url };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

test("after kill -9 every acknowledged write is complete, and no unused file is left", async () => {
  const first = await start();
  await first.client.send(new CreateBucketCommand({ Bucket: bucket }));
  const body = (n: number) => `${n}-`.repeat(2000 + n);
  const acknowledged = new Map<string, number>();
  // Each writer replaces its four objects until the server is killed.
  const writers = Array.from({ length: 10 }, async (_, writer) => {
    for (let n = 0; ; n++) {
      const Key = `${writer}/${n % 4}`;
      const input = { Bucket: bucket, Key, Body: body(n), Metadata: { n: String(n) } };
      await first.client.send(new PutObjectCommand(input));
      acknowledged.set(Key, n);
    }
  });
  const ended = Promise.allSettled(writers);
  await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBe(40);
  await kill(first.child);
  await ended;

  const { client } = await start();
  const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  expect(listed.KeyCount).toBe(40);
  for (const [Key, newest] of acknowledged) {
    const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const n = Number(found.Metadata?.n);
    expect(await found.Body?.transformToString()).toBe(body(n));
    // A write that was running may have been stored without an acknowledgement.
    expect([newest, newest + 4]).toContain(n);
  }
  expect(await bodyFiles(directory)).toHaveLength(40);
});

test("an interrupted upload does not change the object and leaves no file", async () => {
  const { client, url } = await start();
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: "k", Body: "before", Metadata: { v: "1" } }));
  const signed = await getSignedUrl(client, new PutObjectCommand({ Bucket: bucket, Key: "k" }));
  const upload = request(signed, { method: "PUT", headers: { "content-length": 1_000_000 } });
  upload.on("error", () => {
    // The test interrupts the upload, so the error is expected.
  });
  upload.write("x".repeat(500_000));
  await expect.poll(() => bodyFiles(directory)).toHaveLength(2);
  upload.destroy();
  await expect.poll(() => bodyFiles(directory)).toHaveLength(1);
  const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: "k" }));
  expect([await found.Body?.transformToString(), found.Metadata]).toEqual(["before", { v: "1" }]);
  expect(url).toContain("127.0.0.1");
});

test("the next start deletes an incomplete file of a process that was killed", async () => {
  const { child, client } = await start();
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const signed = await getSignedUrl(client, new PutObjectCommand({ Bucket: bucket, Key: "half" }));
  const upload = request(signed, { method: "PUT", headers: { "content-length": 1_000_000 } });
  const broken = once(upload, "error").catch(() => undefined);
  upload.write("x".repeat(500_000));
  await expect.poll(() => bodyFiles(directory)).toHaveLength(1);
  await kill(child);
  await broken;
  expect(await bodyFiles(directory)).toHaveLength(1);
  const { client: second } = await start();
  const call = second.send(new GetObjectCommand({ Bucket: bucket, Key: "half" }));
  expect(await failure(call)).toEqual({ status: 404, name: "NoSuchKey" });
  expect(await bodyFiles(directory)).toEqual([]);
});

test("a second server does not start on the same directory", async () => {
  await start();
  await expect(startS3({ directory, ...credentials })).rejects.toThrow(/database is locked/);
});

test("an object key never becomes part of a file path", async () => {
  const inside = path.join(directory, "data");
  await mkdir(inside);
  const server = await startS3({ directory: inside, ...credentials });
  const client = createClient(server.url);
  clients.push(client);
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    await writeFile(path.join(directory, "secret"), "secret");
    for (const Key of ["../secret", "../../secret", "/etc/passwd", "..", "objects/../../secret"]) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "mine" }));
    }
    expect(await readFile(path.join(directory, "secret"), "utf8")).toBe("secret");
    expect((await readdir(directory)).sort()).toEqual(["data", "secret"]);
    expect(await bodyFiles(inside)).toHaveLength(5);
  } finally {
    await server.close();
  }
});

test("the time to list a page does not grow with the bucket: 20,000 objects", async () => {
  const store = await openStore(directory);
  await insertBucket(store, bucket);
  const object = { parts: [], etag: "", metadata: { headers: {}, user: {} } };
  await store.commit((free) => {
    for (let i = 0; i < 20_000; i++) {
      insertObject(store, free, bucket, `archive/day=${i % 100}/${String(i).padStart(6, "0")}.jsonl.gz`, object);
    }
  });
  const time = (work: () => void): number => {
    const begin = performance.now();
    work();
    return performance.now() - begin;
  };
  const all = { prefix: "", delimiter: "", after: "", max: 1000 };
  let last = "";
  const page = Math.min(
    ...[1, 2, 3].map(() =>
      time(() => {
        last = listObjects(store, bucket, { ...all, after: "archive/day=90/" }).next ?? "";
      }),
    ),
  );
  expect(last).toBe("archive/day=94/019994.jsonl.gz");
  let days: string[] = [];
  const rolled = time(() => {
    days = listObjects(store, bucket, { ...all, prefix: "archive/", delimiter: "/" }).prefixes;
  });
  store.close();
  expect(days).toHaveLength(100);
  // Reading all 20,000 rows takes several hundred milliseconds.
  expect([page < 100, rolled < 100]).toEqual([true, true]);
});

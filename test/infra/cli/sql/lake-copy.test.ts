import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLakeCopy, type LakeCopy } from "../../../../infra/cli/sql/lake-copy.ts";
import { startS3 } from "../../../../infra/local/s3/s3-server.ts";

const directory = mkdtempSync(path.join(tmpdir(), "memocha-copy-"));
const credentials = { accessKeyId: "test", secretAccessKey: "secret" };
const Bucket = "archive";
let close: () => Promise<void>;
let s3: S3Client;
let copy: LakeCopy;
let now = Date.parse("2026-11-21T12:00:00.000Z");
const got: string[] = [];
const HOUR = 3_600_000;

beforeAll(async () => {
  const server = await startS3({ directory: path.join(directory, "s3"), ...credentials, log: () => undefined });
  s3 = new S3Client({ endpoint: server.url, region: "us-east-1", credentials, forcePathStyle: true });
  close = async () => {
    s3.destroy();
    await server.close();
  };
  await s3.send(new CreateBucketCommand({ Bucket }));
  s3.middlewareStack.add(
    (next, context) => (args) => {
      if (context.commandName === "GetObjectCommand") got.push((args.input as { Key: string }).Key);
      return next(args);
    },
    { step: "initialize" },
  );
  copy = createLakeCopy(s3, Bucket, path.join(directory, "copy"), () => now);
});
afterAll(async () => {
  await close();
  rmSync(directory, { recursive: true, force: true });
});

const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const texts = (files: string[]) => files.map((file) => readFileSync(file, "utf8")).sort();

describe("the copy that DuckDB reads", () => {
  it("downloads each version of an object once, and returns the current files", async () => {
    await put("lake/t/dt=1/t.parquet", "one");
    await put("lake/t/dt=2/t.parquet", "two");
    await put("other/x", "no part of it");
    const first = await copy.refresh("lake/t/");
    expect(texts(first)).toEqual(["one", "two"]);
    await put("lake/t/dt=2/t.parquet", "two again");
    expect(texts(await copy.refresh("lake/t/"))).toEqual(["one", "two again"]);
    expect(got.sort()).toEqual(["lake/t/dt=1/t.parquet", "lake/t/dt=2/t.parquet", "lake/t/dt=2/t.parquet"]);
    // A process that reads the old version can continue.
    expect(texts(first)).toEqual(["one", "two"]);
  });

  it("removes a file an hour after its object was first missing, however old the file is", async () => {
    const [file = ""] = await copy.refresh("lake/t/dt=1/");
    now += 24 * HOUR;
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "lake/t/dt=1/t.parquet" }));
    expect(texts(await copy.refresh("lake/t/"))).toEqual(["two again"]);
    expect(texts([file])).toEqual(["one"]);
    now += HOUR;
    await copy.refresh("lake/t/");
    expect(texts([file])).toEqual(["one"]);
    now += 1;
    await copy.refresh("lake/t/");
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("keeps a file whose object is back in the bucket", async () => {
    await put("lake/u/u.parquet", "one");
    const [file = ""] = await copy.refresh("lake/u/");
    await put("lake/u/u.parquet", "two");
    await copy.refresh("lake/u/");
    await put("lake/u/u.parquet", "one");
    now += 2 * HOUR;
    expect(await copy.refresh("lake/u/")).toEqual([file]);
    await put("lake/u/u.parquet", "three");
    await copy.refresh("lake/u/");
    expect(texts([file])).toEqual(["one"]);
  });

  it("has the objects of all pages of the listing", async () => {
    const pages = [["raw/a", "raw/b"], ["raw/c"]];
    const paged: S3Client = Object.assign(Object.create(S3Client.prototype), {
      send: async (command: { input: { Key?: string; ContinuationToken?: string } }) => {
        const { Key, ContinuationToken = "0" } = command.input;
        if (Key !== undefined) return { Body: Readable.from([Key]) };
        const next = Number(ContinuationToken) + 1;
        return {
          Contents: pages[next - 1]?.map((key) => ({ Key: key, ETag: '"e"' })),
          ...(next < pages.length ? { NextContinuationToken: String(next) } : {}),
        };
      },
    });
    const files = await createLakeCopy(paged, Bucket, path.join(directory, "paged")).refresh("raw/");
    expect(texts(files)).toEqual(["raw/a", "raw/b", "raw/c"]);
  });

  it("skips the objects that Trino and Athena skip: a part of their key begins with _ or .", async () => {
    for (const key of ["_ann/s", ".ann/s", "ann/_s", "ann/.s", "a_n.n/s", "%5Fann/s"])
      await put(`raw/dt=1/${key}`, key);
    expect(texts(await copy.refresh("raw/"))).toEqual(["%5Fann/s", "a_n.n/s"]);
  });
});

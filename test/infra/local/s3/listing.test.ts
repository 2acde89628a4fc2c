import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { insertBucket } from "../../../../infra/local/s3/bucket-operations.ts";
import { openStore } from "../../../../infra/local/s3/object-store.ts";
import { insertObject, listObjects } from "../../../../infra/local/s3/objects.ts";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
});
afterAll(() => s3.stop());

const put = (Key: string, Body = "x") => s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const list = (input: Partial<ListObjectsV2CommandInput>) =>
  s3.client.send(new ListObjectsV2Command({ Bucket: bucket, ...input }));

async function pages(input: Partial<ListObjectsV2CommandInput>): Promise<string[][]> {
  const found: string[][] = [];
  let token: string | undefined;
  do {
    const page = await list({ ...input, ContinuationToken: token });
    const entries = [
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    ];
    expect(page.KeyCount).toBe(entries.length);
    found.push(entries.map(String));
    token = page.NextContinuationToken;
  } while (token);
  return found;
}

describe("a listing", () => {
  const keys = Array.from({ length: 25 }, (_, i) => `l/y=2026/m=${i % 3}/f${String(i).padStart(2, "0")}.json`);
  beforeAll(async () => {
    await Promise.all(keys.map((key) => put(key)));
  });

  test("groups keys at the delimiter", async () => {
    expect(await pages({ Prefix: "l/y=2026/", Delimiter: "/", MaxKeys: 2 })).toEqual([
      ["l/y=2026/m=0/", "l/y=2026/m=1/"],
      ["l/y=2026/m=2/"],
    ]);
  });

  test("comes in pages, in the order of the keys", async () => {
    const found = await pages({ Prefix: "l/", MaxKeys: 10 });
    expect(found.map((page) => page.length)).toEqual([10, 10, 5]);
    expect(found.flat()).toEqual(keys.toSorted());
  });

  test("starts after a key", async () => {
    const page = await list({ Prefix: "l/", StartAfter: "l/y=2026/m=2/" });
    expect(page.Contents).toHaveLength(8);
  });

  test("rejects an unknown continuation token and a negative page size", async () => {
    expect(await failure(list({ ContinuationToken: "nonsense" }))).toEqual({ status: 400, name: "InvalidArgument" });
    expect((await failure(list({ MaxKeys: -1 }))).status).toBe(400);
    expect((await list({ MaxKeys: 0 })).IsTruncated).toBe(false);
  });
});

describe("a key", () => {
  test.each([
    ["spaces, signs and unicode", "sp ace/pl+us/eq=1/ünï/p%25.txt"],
    ["dots", "../../../etc/../passwd"],
    ["a lone dot", "./."],
    ["slashes", "//double//slash//"],
    ["quotes and brackets", 'it\'s (a) "test"!*~<&>.txt'],
    ["emoji", "😀/👨‍👩‍👧"],
    ["1,024 bytes", "k".repeat(1024)],
    ["1,024 bytes of long characters", "😀".repeat(256)],
    ["line ends", "a\r\nb\tc"],
    ["question marks", "what?versionId=1&x#y"],
  ])("may hold %s", async (_name, key) => {
    await put(key, key);
    const found = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    expect(await found.Body?.transformToString()).toBe(key);
    const page = await list({ Prefix: key });
    expect(page.Contents?.map(({ Key }) => Key)).toEqual([key]);
  });

  test("may be an object and the prefix of other keys at the same time", async () => {
    await put("dual", "1");
    await put("dual/x", "2");
    await put("dual/", "3");
    expect(await Promise.all(["dual", "dual/x", "dual/"].map((key) => s3.text(key)))).toEqual(["1", "2", "3"]);
  });

  test("of more than 1,024 bytes is rejected", async () => {
    expect(await failure(put("ü".repeat(513)))).toEqual({ status: 400, name: "KeyTooLongError" });
  });
});

test("the pages of a listing contain every key or common prefix once, in order (property)", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), "s3-"));
  const store = await openStore(directory);
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "ü", "😀", "-"), maxLength: 6 });
  let round = 0;
  const property = fc.asyncProperty(
    fc.uniqueArray(text.filter(Boolean), { maxLength: 30 }),
    text,
    fc.constantFrom("", "/", "/-", "a"),
    fc.integer({ min: 1, max: 5 }),
    async (keys, prefix, delimiter, max) => {
      const name = `bucket-${round++}`;
      await insertBucket(store, name);
      const object = { parts: [], etag: "", metadata: { headers: {}, user: {} } };
      await store.commit((free) => keys.map((key) => insertObject(store, free, name, key, object)));
      const found: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const { objects, prefixes, next } = listObjects(store, name, { prefix, delimiter, after, max });
        expect(objects.length + prefixes.length).toBeLessThanOrEqual(max);
        found.push(...[...objects.map(({ key }) => key), ...prefixes].toSorted(byBytes));
        after = next;
      }
      const rolled = keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => {
          const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
          return at < 0 ? key : key.slice(0, at + delimiter.length);
        });
      expect(found).toEqual([...new Set(rolled)].toSorted(byBytes));
    },
  );
  try {
    await fc.assert(property, { numRuns: 100 });
  } finally {
    store.close();
    await rm(directory, { recursive: true });
  }
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

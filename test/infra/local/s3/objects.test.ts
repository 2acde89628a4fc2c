import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
});
afterAll(() => s3.stop());

const put = (Key: string, Body: string, more: object = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ...more }));
const get = (Key: string, more: object = {}) => s3.client.send(new GetObjectCommand({ Bucket: bucket, Key, ...more }));
const head = (Key: string, more: object = {}) =>
  s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key, ...more }));
const md5 = (text: string) => `"${createHash("md5").update(text).digest("hex")}"`;

describe("buckets", () => {
  test("are created once, found and listed", async () => {
    await s3.client.send(new CreateBucketCommand({ Bucket: "another" }));
    await s3.client.send(new HeadBucketCommand({ Bucket: "another" }));
    const { Buckets } = await s3.client.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual(["another", bucket]);
    expect(await failure(s3.client.send(new CreateBucketCommand({ Bucket: "another" })))).toEqual({
      status: 409,
      name: "BucketAlreadyOwnedByYou",
    });
    expect((await failure(s3.client.send(new HeadBucketCommand({ Bucket: "absent" })))).status).toBe(404);
    expect(await failure(s3.client.send(new ListObjectsV2Command({ Bucket: "absent" })))).toEqual({
      status: 404,
      name: "NoSuchBucket",
    });
  });
});

test("a versioned bucket keeps the current version of an object only", async () => {
  const VersioningConfiguration = { Status: "Enabled" as const };
  await s3.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  const before = (await s3.files()).length;
  for (const body of ["1", "2"]) await put("versioned", body);
  expect([await s3.text("versioned"), (await s3.files()).length]).toEqual(["2", before + 1]);
  const old = get("versioned", { VersionId: "1" });
  await expect(old).rejects.toThrow("The specified version does not exist.");
});

describe("an object", () => {
  test("is returned with its body, metadata and system headers", async () => {
    const saved = await put("a/1.txt", "hello world", {
      ContentType: "text/plain",
      CacheControl: "no-store",
      ContentEncoding: "gzip",
      ContentDisposition: "attachment",
      Metadata: { foo: "bar", k2: "v2" },
    });
    expect(saved.ETag).toBe(md5("hello world"));
    expect(saved.ChecksumCRC32).toBe("DUoRhQ==");
    const found = await head("a/1.txt", { ChecksumMode: "ENABLED" });
    expect(found).toMatchObject({
      ContentLength: 11,
      ContentType: "text/plain",
      CacheControl: "no-store",
      ContentEncoding: "gzip",
      ContentDisposition: "attachment",
      Metadata: { foo: "bar", k2: "v2" },
      ChecksumCRC32: "DUoRhQ==",
      ChecksumType: "FULL_OBJECT",
      ETag: md5("hello world"),
    });
    expect(await s3.text("a/1.txt")).toBe("hello world");
  });

  test("sent as a stream is stored without its aws-chunked encoding", async () => {
    const body = randomBytes(150_000).toString("hex");
    const parts = [Buffer.from(body.slice(0, 100_000)), Buffer.from(body.slice(100_000))];
    const stream = Readable.from(parts);
    await s3.client.send(
      new PutObjectCommand({ Bucket: bucket, Key: "stream", Body: stream, ContentLength: body.length }),
    );
    expect(await s3.text("stream")).toBe(body);
    expect((await head("stream")).ContentEncoding).toBeUndefined();
  });

  test.each(["CRC32", "SHA256"] as const)("is verified with a %s checksum", async (ChecksumAlgorithm) => {
    const key = `sum-${ChecksumAlgorithm}`;
    const field = `Checksum${ChecksumAlgorithm}`;
    const digest: Record<string, string> = {
      CRC32: "y/Q5Jg==",
      SHA256: createHash("sha256").update("123456789").digest("base64"),
    };
    const saved = await put(key, "123456789", { ChecksumAlgorithm });
    const found = await head(key, { ChecksumMode: "ENABLED" });
    const value = found[field as keyof typeof found];
    expect(value).toBe(saved[field as keyof typeof saved]);
    expect(value).toBe(digest[ChecksumAlgorithm]);
    const wrong = Buffer.from(String(value), "base64").fill(1).toString("base64");
    expect(await failure(put(key, "other", { [field]: wrong }))).toEqual({ status: 400, name: "BadDigest" });
    expect(await s3.text(key)).toBe("123456789");
  });

  test("with a wrong checksum is rejected and leaves no file", async () => {
    const before = (await s3.files()).length;
    expect(await failure(put("bad-sum", "y", { ChecksumCRC32: "AAAAAA==" }))).toEqual({
      status: 400,
      name: "BadDigest",
    });
    expect(await failure(get("bad-sum"))).toEqual({ status: 404, name: "NoSuchKey" });
    expect((await s3.files()).length).toBe(before);
  });

  test("that is replaced or deleted leaves no file", async () => {
    const before = (await s3.files()).length;
    await put("short-lived", "1");
    await put("short-lived", "2");
    expect((await s3.files()).length).toBe(before + 1);
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "short-lived" }));
    expect((await s3.files()).length).toBe(before);
  });

  test("that twenty clients write at once has the body and metadata of one of them", async () => {
    const body = (writer: number) => String(writer).padStart(2, "0").repeat(10_000);
    await Promise.all(
      Array.from({ length: 20 }, (_, writer) => put("contended", body(writer), { Metadata: { w: `${writer}` } })),
    );
    const found = await get("contended");
    expect(await found.Body?.transformToString()).toBe(body(Number(found.Metadata?.w)));
  });

  test("can be read to its end although it is deleted during the read", async () => {
    const body = "z".repeat(3_000_000);
    await put("going", body);
    const found = await get("going");
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "going" }));
    expect(await found.Body?.transformToString()).toBe(body);
    expect((await failure(head("going"))).status).toBe(404);
  });

  test("is read by range", async () => {
    await put("range", "hello world");
    const middle = await get("range", { Range: "bytes=6-10" });
    expect([await middle.Body?.transformToString(), middle.ContentRange, middle.$metadata.httpStatusCode]).toEqual([
      "world",
      "bytes 6-10/11",
      206,
    ]);
    const read = async (Range: string) => (await get("range", { Range })).Body?.transformToString();
    expect(await read("bytes=-5")).toBe("world");
    expect(await read("bytes=6-")).toBe("world");
    expect(await read("bytes=6-999")).toBe("world");
    expect(await read("bytes=-999")).toBe("hello world");
    expect(await failure(get("range", { Range: "bytes=50-60" }))).toEqual({ status: 416, name: "InvalidRange" });
  });

  test("is read only if its preconditions hold", async () => {
    const { ETag } = await put("cond-read", "1");
    expect((await failure(get("cond-read", { IfNoneMatch: ETag }))).status).toBe(304);
    expect((await failure(head("cond-read", { IfNoneMatch: ETag }))).status).toBe(304);
    expect((await failure(get("cond-read", { IfMatch: md5("2") }))).status).toBe(412);
    const read = await get("cond-read", { IfMatch: ETag, IfNoneMatch: md5("2") });
    expect(await read.Body?.transformToString()).toBe("1");
  });

  test("is written only if its preconditions hold", async () => {
    const { ETag } = await put("cond-write", "1", { IfNoneMatch: "*" });
    expect(await failure(put("cond-write", "2", { IfNoneMatch: "*" }))).toEqual({
      status: 412,
      name: "PreconditionFailed",
    });
    expect((await failure(put("cond-write", "3", { IfMatch: md5("0") }))).status).toBe(412);
    expect(await failure(put("cond-absent", "3", { IfMatch: ETag }))).toEqual({ status: 404, name: "NoSuchKey" });
    await put("cond-write", "3", { IfMatch: ETag });
    expect(await s3.text("cond-write")).toBe("3");
    expect((await failure(put("cond-write", "4", { IfNoneMatch: ETag }))).status).toBe(501);
  });

  test("is created by exactly one of twenty clients that send If-None-Match", async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, writer) => put("race", String(writer), { IfNoneMatch: "*" })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await s3.text("race")).toBe(String(results.findIndex(({ status }) => status === "fulfilled")));
  });

  test("is deleted only if its precondition holds", async () => {
    const remove = (Key: string, IfMatch: string) =>
      s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key, IfMatch }));
    const { ETag = "" } = await put("cond-delete", "1");
    expect((await failure(remove("cond-delete", md5("2")))).status).toBe(412);
    expect(await s3.text("cond-delete")).toBe("1");
    await remove("cond-delete", ETag);
    expect((await failure(remove("cond-delete", ETag))).status).toBe(404);
  });

  test("is deleted together with others, with one result per key", async () => {
    await Promise.all(["many/a", "many/b & <c>\r\n", "many/d"].map((key) => put(key, key)));
    const Objects = [
      { Key: "many/a" },
      { Key: "many/b & <c>\r\n" },
      { Key: "many/d", ETag: md5("x") },
      { Key: "many/none" },
    ];
    const result = await s3.client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
    expect(result.Deleted?.map(({ Key }) => Key)).toEqual(["many/a", "many/b & <c>\r\n", "many/none"]);
    expect(result.Errors).toMatchObject([{ Key: "many/d", Code: "PreconditionFailed" }]);
    const left = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: "many/" }));
    expect(left.Contents?.map(({ Key }) => Key)).toEqual(["many/d"]);
  });

  test("is copied with its metadata and tags", async () => {
    await put("origin ü+%", "copied", { ContentType: "text/a", Metadata: { m: "1" } });
    const TagSet = [{ Key: "t", Value: "1" }];
    await s3.client.send(new PutObjectTaggingCommand({ Bucket: bucket, Key: "origin ü+%", Tagging: { TagSet } }));
    const CopySource = `${bucket}/${encodeURIComponent("origin ü+%")}`;
    const { CopyObjectResult } = await s3.client.send(
      new CopyObjectCommand({ Bucket: bucket, Key: "copy-1", CopySource }),
    );
    expect(CopyObjectResult?.ETag).toBe(md5("copied"));
    expect(await head("copy-1")).toMatchObject({ ContentType: "text/a", Metadata: { m: "1" }, TagCount: 1 });
    expect(await s3.text("copy-1")).toBe("copied");
  });

  test("can be tagged without changing its content", async () => {
    await put("tagged", "1");
    const TagSet = [{ Key: "x", Value: "y & z" }];
    await s3.client.send(new PutObjectTaggingCommand({ Bucket: bucket, Key: "tagged", Tagging: { TagSet } }));
    const tags = await s3.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: "tagged" }));
    expect(tags.TagSet).toEqual(TagSet);
    const twice = { TagSet: [...TagSet, ...TagSet] };
    const call = s3.client.send(new PutObjectTaggingCommand({ Bucket: bucket, Key: "tagged", Tagging: twice }));
    expect(await failure(call)).toEqual({ status: 400, name: "InvalidTag" });
  });
});

test("an operation that is not supported is rejected by name", async () => {
  const Bucket = bucket;
  const acl = new PutObjectAclCommand({ Bucket, Key: "a/1.txt", ACL: "private" });
  await expect(s3.client.send(acl)).rejects.toThrow("does not implement PUT ?acl on an object.");
  const notification = new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} });
  await expect(s3.client.send(notification)).rejects.toThrow("does not implement PUT ?notification on a bucket.");
  const part = new GetObjectCommand({ Bucket, Key: "a/1.txt", PartNumber: 1 });
  await expect(s3.client.send(part)).rejects.toThrow("does not implement GET ?partNumber on an object.");
});

test.each([
  ["x-amz-object-lock-mode", { ObjectLockMode: "GOVERNANCE" }],
  ["x-amz-acl", { ACL: "public-read" }],
  ["x-amz-server-side-encryption", { ServerSideEncryption: "aws:kms" }],
  ["x-amz-storage-class", { StorageClass: "DEEP_ARCHIVE" }],
  ["x-amz-tagging", { Tagging: "a=b" }],
  ["content-md5", { ContentMD5: "CY9rzUYh03PK3k6DJie09g==" }],
])("a request with the header %s, which is not supported, is rejected", async (header, more) => {
  expect(await failure(put("refused", "1", more))).toEqual({ status: 501, name: "NotImplemented" });
  await expect(put("refused", "1", more)).rejects.toThrow(`does not implement the header ${header}`);
});

test("a request is logged in one line, without its query", async () => {
  await failure(s3.client.send(new ListObjectsV2Command({ Bucket: "absent" })));
  expect(s3.lines.at(-1)).toMatch(/^s3 ListObjectsV2 \/absent\/? 404 \d+\.\d ms$/);
});

test("an error has a code, a message and the id of its request", async () => {
  const error: unknown = await get("nowhere").catch((cause: unknown) => cause);
  expect(error).toMatchObject({ name: "NoSuchKey", message: "The specified key does not exist." });
  const { requestId } = (error as { $metadata: { requestId?: string } }).$metadata;
  expect(requestId).toMatch(/^[0-9A-F]{16}$/);
});

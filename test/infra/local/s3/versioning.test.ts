import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeEach(async () => {
  s3 = await startFixture();
  await setVersioning("Enabled");
});
afterEach(() => s3.stop());

const setVersioning = (Status: "Enabled" | "Suspended") =>
  s3.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }));
const put = async (Key: string, Body: string) =>
  (await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))).VersionId ?? "";
const remove = (Key: string, VersionId?: string) =>
  s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
const versions = async (more: object = {}) =>
  s3.client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...more }));

test("each write creates a version, and each version can be read", async () => {
  const [one, two] = [await put("k", "1"), await put("k", "2")];
  expect(one).not.toBe(two);
  expect([await s3.text("k"), await s3.text("k", one), await s3.text("k", two)]).toEqual(["2", "1", "2"]);
  expect((await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: "k" }))).VersionId).toBe(two);
  expect(await failure(s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: "k", VersionId: "none" })))).toEqual({
    status: 404,
    name: "NoSuchVersion",
  });
});

test("a delete adds a delete marker, and deleting the marker restores the object", async () => {
  const version = await put("k", "1");
  const deleted = await remove("k");
  expect(deleted.DeleteMarker).toBe(true);
  expect(await failure(s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: "k" })))).toEqual({
    status: 404,
    name: "NoSuchKey",
  });
  const marker = { Bucket: bucket, Key: "k", VersionId: deleted.VersionId };
  expect((await failure(s3.client.send(new GetObjectCommand(marker)))).status).toBe(405);
  expect((await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount).toBe(0);
  expect(await s3.text("k", version)).toBe("1");
  const listed = await versions();
  expect(listed.DeleteMarkers).toMatchObject([{ Key: "k", VersionId: deleted.VersionId, IsLatest: true }]);
  expect(listed.Versions).toMatchObject([{ Key: "k", VersionId: version, IsLatest: false }]);
  const undone = await remove("k", deleted.VersionId);
  expect([undone.DeleteMarker, undone.VersionId]).toEqual([true, deleted.VersionId]);
  expect(await s3.text("k")).toBe("1");
});

test("deleting a version deletes its file and makes the version before it current", async () => {
  const [one, two] = [await put("k", "1"), await put("k", "2")];
  await remove("k", two);
  expect([await s3.text("k"), (await s3.files()).length]).toEqual(["1", 1]);
  const Objects = [{ Key: "k", VersionId: one }];
  await s3.client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  expect([(await versions()).Versions, await s3.files()]).toEqual([undefined, []]);
});

test("versions are listed in pages, the newest of each key first", async () => {
  const expected: [string, string][] = [];
  for (const key of ["a", "b", "c/1", "c/2"]) {
    const made = [await put(key, "1"), await put(key, "2"), await put(key, "3")];
    expected.push(...made.reverse().map((version): [string, string] => [key, version]));
  }
  const found: [string, string][] = [];
  let at: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await versions({ MaxKeys: 5, ...at });
    found.push(...(page.Versions ?? []).map(({ Key = "", VersionId = "" }): [string, string] => [Key, VersionId]));
    if (!page.IsTruncated) break;
    at = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
  expect(found).toEqual(expected);
  const rolled = await versions({ Delimiter: "/", Prefix: "c" });
  expect([rolled.Versions, rolled.CommonPrefixes]).toEqual([undefined, [{ Prefix: "c/" }]]);
});

test("an object from before versioning is the version null, which each write replaces while versioning is suspended", async () => {
  await setVersioning("Suspended");
  await put("k", "0");
  await setVersioning("Enabled");
  const one = await put("k", "1");
  expect(await s3.text("k", "null")).toBe("0");
  await setVersioning("Suspended");
  expect(await put("k", "2")).toBe("null");
  expect([await s3.text("k"), await s3.text("k", one), await s3.text("k", "null")]).toEqual(["2", "1", "2"]);
  expect((await remove("k")).VersionId).toBe("null");
  expect((await failure(s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: "k" })))).status).toBe(404);
  expect([await s3.text("k", one), (await s3.files()).length]).toEqual(["1", 1]);
});

test("preconditions are checked against the current version only", async () => {
  await put("k", "1");
  await remove("k");
  const conditional = { Bucket: bucket, Key: "k", Body: "2" };
  expect((await failure(s3.client.send(new PutObjectCommand({ ...conditional, IfMatch: "*" })))).status).toBe(404);
  await s3.client.send(new PutObjectCommand({ ...conditional, IfNoneMatch: "*" }));
  expect(await s3.text("k")).toBe("2");
});

test("an older version can be copied over the current one", async () => {
  const one = await put("k", "1");
  await put("k", "2");
  await s3.client.send(new CopyObjectCommand({ Bucket: bucket, Key: "k", CopySource: `${bucket}/k?versionId=${one}` }));
  expect([await s3.text("k"), (await versions()).Versions?.length]).toEqual(["1", 3]);
});

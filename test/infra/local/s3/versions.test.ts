import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
  for (let n = 0; n < 1001; n++) await put(`many/${String(n).padStart(4, "0")}`);
  for (const key of ["days/1/ann/a", "days/1/bob/b", "days/2/ann/c"]) await put(key);
});
afterAll(() => s3.stop());

const put = (Key: string) => s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }));
const list = (input: Partial<ListObjectVersionsCommandInput>) =>
  s3.client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...input }));

test("an object is listed as one version, whose id is null", async () => {
  const { Versions = [], IsTruncated } = await list({ Prefix: "days/1/ann/" });
  expect(Versions).toMatchObject([{ Key: "days/1/ann/a", VersionId: "null", IsLatest: true, Size: 12 }]);
  expect(IsTruncated).toBe(false);
});

test("versions are grouped by a delimiter and listed in pages", async () => {
  const { CommonPrefixes } = await list({ Prefix: "days/", Delimiter: "/" });
  expect(CommonPrefixes).toEqual([{ Prefix: "days/1/" }, { Prefix: "days/2/" }]);
  const first = await list({ Prefix: "many/" });
  expect([first.Versions?.length, first.IsTruncated, first.NextKeyMarker]).toEqual([1000, true, "many/0999"]);
  const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = first;
  const second = await list({ Prefix: "many/", KeyMarker, VersionIdMarker });
  expect([second.Versions?.map(({ Key }) => Key), second.IsTruncated]).toEqual([["many/1000"], false]);
});

test("the version null is read and deleted, and another version does not exist", async () => {
  const version = { Bucket: bucket, Key: "days/1/bob/b", VersionId: "null" };
  const { Body } = await s3.client.send(new GetObjectCommand(version));
  expect(await Body?.transformToString()).toBe("days/1/bob/b");
  await s3.client.send(new DeleteObjectCommand({ ...version, VersionId: "another" }));
  expect(await s3.text("days/1/bob/b")).toBe("days/1/bob/b");
  await s3.client.send(new DeleteObjectCommand(version));
  expect(await failure(s3.text("days/1/bob/b"))).toEqual({ status: 404, name: "NoSuchKey" });
});

import {
  CreateMultipartUploadCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeEach(async () => {
  s3 = await startFixture();
});
afterEach(() => s3.stop());

const put = (Key: string, Body = "x", more: object = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ...more }));
const keys = async () =>
  (await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents?.map(({ Key }) => Key) ?? [];
const setRules = (Rules: Partial<LifecycleRule>[]) =>
  s3.client.send(
    new PutBucketLifecycleConfigurationCommand({
      Bucket: bucket,
      LifecycleConfiguration: { Rules: Rules.map((rule) => ({ Status: "Enabled", ...rule }) as LifecycleRule) },
    }),
  );
/** The time in so many days. Rules act at the midnight that follows an age. */
const inDays = (days: number) => Date.now() + days * 86_400_000;

test("objects expire by age and prefix, and their files are deleted", async () => {
  await put("archive/a");
  await put("archive/b");
  await put("lake/a");
  await put("reports/a");
  await setRules([
    { ID: "archive", Filter: { Prefix: "archive/" }, Expiration: { Days: 30 } },
    { ID: "off", Status: "Disabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } },
    { ID: "reports", Filter: { Prefix: "reports/" }, Expiration: { Days: 2 } },
  ]);
  expect(await s3.server.applyLifecycle()).toBe(0);
  expect(await s3.server.applyLifecycle(inDays(3))).toBe(1);
  expect(await keys()).toEqual(["archive/a", "archive/b", "lake/a"]);
  expect(await s3.server.applyLifecycle(inDays(29))).toBe(0);
  expect(await s3.server.applyLifecycle(inDays(31))).toBe(2);
  expect([await keys(), (await s3.files()).length]).toEqual([["lake/a"], 1]);
});

test("uploads that no client completes are aborted", async () => {
  const upload = await s3.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: "lake/x" }));
  const { UploadId } = upload;
  await s3.client.send(new UploadPartCommand({ Bucket: bucket, Key: "lake/x", UploadId, PartNumber: 1, Body: "1" }));
  await s3.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: "other/x" }));
  await setRules([{ Filter: { Prefix: "lake/" }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }]);
  expect(await s3.server.applyLifecycle()).toBe(0);
  expect(await s3.server.applyLifecycle(inDays(2))).toBe(1);
  const { Uploads } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  expect([Uploads?.map(({ Key }) => Key), await s3.files()]).toEqual([["other/x"], []]);
});

test.each([
  ["an age of 0 days", { Expiration: { Days: 0 } }],
  ["a tag", { Filter: { Tag: { Key: "keep", Value: "no" } }, Expiration: { Days: 1 } }],
  ["a size", { Filter: { ObjectSizeGreaterThan: 99 }, Expiration: { Days: 1 } }],
  ["a date", { Expiration: { Date: new Date("2026-12-01") } }],
  ["a storage class", { Transitions: [{ Days: 1, StorageClass: "GLACIER" as const }] }],
  ["an age of old versions", { NoncurrentVersionExpiration: { NoncurrentDays: 1 } }],
])("a rule with %s, which the server cannot apply, is rejected", async (_name, rule) => {
  expect(await failure(setRules([{ Filter: { Prefix: "" }, ...rule }]))).toEqual({ status: 400, name: "MalformedXML" });
});

test("a rule applies to every one of many objects", async () => {
  await Promise.all(Array.from({ length: 30 }, (_, i) => put(`n/${i}`)));
  await setRules([{ Filter: { Prefix: "n/" }, Expiration: { Days: 1 } }]);
  expect(await s3.server.applyLifecycle(inDays(2))).toBe(30);
  expect(await keys()).toEqual([]);
});

import {
  DeleteBucketPolicyCommand,
  GetBucketEncryptionCommand,
  GetBucketLocationCommand,
  GetBucketLoggingCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetPublicAccessBlockCommand,
  PutBucketEncryptionCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketReplicationCommand,
  PutBucketTaggingCommand,
  PutPublicAccessBlockCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
});
afterAll(() => s3.stop());

const Bucket = bucket;

test("a policy is kept until it is deleted", async () => {
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  expect(await failure(s3.client.send(new GetBucketPolicyCommand({ Bucket })))).toEqual({
    status: 404,
    name: "NoSuchBucketPolicy",
  });
  await s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  expect((await s3.client.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
  await s3.client.send(new DeleteBucketPolicyCommand({ Bucket }));
  expect((await failure(s3.client.send(new GetBucketPolicyCommand({ Bucket })))).status).toBe(404);
  expect(await failure(s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy: "{" })))).toEqual({
    status: 400,
    name: "MalformedPolicy",
  });
});

test("tags, encryption and the public access block come back as they were put", async () => {
  const TagSet = [{ Key: "team", Value: "chat & more" }];
  await s3.client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  expect((await s3.client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TagSet);
  const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" as const } }];
  const ServerSideEncryptionConfiguration = { Rules };
  await s3.client.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration }));
  const encryption = await s3.client.send(new GetBucketEncryptionCommand({ Bucket }));
  expect(encryption.ServerSideEncryptionConfiguration?.Rules).toEqual(Rules);
  const PublicAccessBlockConfiguration = { BlockPublicAcls: true, RestrictPublicBuckets: true };
  await s3.client.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
  const block = await s3.client.send(new GetPublicAccessBlockCommand({ Bucket }));
  expect(block.PublicAccessBlockConfiguration).toEqual(PublicAccessBlockConfiguration);
});

test("what was never set has its own answer", async () => {
  expect((await s3.client.send(new GetBucketLoggingCommand({ Bucket }))).LoggingEnabled).toBeUndefined();
  expect((await s3.client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeUndefined();
});

test("a configuration that would have no effect where it must have one is refused by name", async () => {
  const notification = new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} });
  await expect(s3.client.send(notification)).rejects.toThrow(/PutBucketNotificationConfiguration/);
  const ReplicationConfiguration = { Role: "r", Rules: [] };
  const replication = new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration });
  await expect(s3.client.send(replication)).rejects.toThrow(/PutBucketReplication/);
});

test("each request is logged in one line, without its query", async () => {
  await failure(s3.client.send(new GetBucketPolicyCommand({ Bucket: "absent" })));
  expect(s3.lines.at(-1)).toMatch(/^s3 GetBucketPolicy \/absent\/? 404 \d+\.\d ms$/);
});

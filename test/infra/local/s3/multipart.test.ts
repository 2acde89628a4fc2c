import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bucket, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";

const MB = 1024 * 1024;
let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
});
afterAll(() => s3.stop());

async function bytes(Key: string, more: object = {}): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key, ...more }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function begin(Key: string, more: object = {}): Promise<{ Bucket: string; Key: string; UploadId: string }> {
  const { UploadId = "" } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key, ...more }));
  return { Bucket: bucket, Key, UploadId };
}

test("a body of known length is uploaded in parts, and read whole and by range", async () => {
  const body = randomBytes(11 * MB);
  const params = { Bucket: bucket, Key: "big", Body: body, Metadata: { m: "1" } };
  const result = await new Upload({ client: s3.client, params, partSize: 5 * MB }).done();
  const md5s = [body.subarray(0, 5 * MB), body.subarray(5 * MB, 10 * MB), body.subarray(10 * MB)].map((part) =>
    createHash("md5").update(part).digest(),
  );
  expect(result.ETag).toBe(`"${createHash("md5").update(Buffer.concat(md5s)).digest("hex")}-3"`);
  expect((await bytes("big")).equals(body)).toBe(true);
  expect(
    (await bytes("big", { Range: `bytes=${5 * MB - 3}-${10 * MB + 2}` })).equals(
      body.subarray(5 * MB - 3, 10 * MB + 3),
    ),
  ).toBe(true);
  const head = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: "big" }));
  expect([head.ContentLength, head.Metadata]).toEqual([11 * MB, { m: "1" }]);
});

test("a stream of unknown length is uploaded in parts", async () => {
  const body = randomBytes(11 * MB);
  const stream = Readable.from([body.subarray(0, 7e6), body.subarray(7e6)]);
  const params = { Bucket: bucket, Key: "big-stream", Body: stream };
  await new Upload({ client: s3.client, params, partSize: 5 * MB }).done();
  expect((await bytes("big-stream")).equals(body)).toBe(true);
});

test("unfinished uploads are listed, and an aborted upload leaves no file", async () => {
  const before = (await s3.files()).length;
  const one = await begin("listed/1");
  const two = await begin("listed/2");
  await s3.client.send(new UploadPartCommand({ ...one, PartNumber: 7, Body: "seven" }));
  await s3.client.send(new UploadPartCommand({ ...one, PartNumber: 2, Body: "two" }));
  await s3.client.send(new UploadPartCommand({ ...one, PartNumber: 2, Body: "two again" }));
  const list = () => s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: "listed/" }));
  expect((await list()).Uploads?.map(({ Key }) => Key)).toEqual(["listed/1", "listed/2"]);
  await s3.client.send(new AbortMultipartUploadCommand(one));
  await s3.client.send(new AbortMultipartUploadCommand(two));
  expect((await list()).Uploads).toBeUndefined();
  expect((await s3.files()).length).toBe(before);
  const late = new UploadPartCommand({ ...one, PartNumber: 3, Body: "late" });
  expect(await failure(s3.client.send(late))).toEqual({ status: 404, name: "NoSuchUpload" });
});

test("an upload is completed only with existing parts, in order and of at least 5 MiB", async () => {
  const upload = await begin("strict");
  const put = async (PartNumber: number, size: number) => {
    const { ETag } = await s3.client.send(new UploadPartCommand({ ...upload, PartNumber, Body: "x".repeat(size) }));
    return { PartNumber, ETag };
  };
  const complete = (...Parts: object[]) =>
    s3.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  const [small, big] = [await put(1, 10), await put(2, 5 * MB)];
  expect(await failure(complete(small, big))).toEqual({ status: 400, name: "EntityTooSmall" });
  expect(await failure(complete(big, small))).toEqual({ status: 400, name: "InvalidPartOrder" });
  expect(await failure(complete({ ...small, ETag: big.ETag }))).toEqual({ status: 400, name: "InvalidPart" });
  expect(await failure(complete({ PartNumber: 3, ETag: big.ETag }))).toEqual({ status: 400, name: "InvalidPart" });
  await complete(big);
  expect((await bytes("strict")).length).toBe(5 * MB);
  // The part that was not chosen was deleted with the upload.
  expect(await failure(complete(big))).toEqual({ status: 404, name: "NoSuchUpload" });
});

test("an upload whose precondition fails is not completed", async () => {
  await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: "taken", Body: "1" }));
  const upload = await begin("taken");
  const { ETag } = await s3.client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: "2" }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const call = s3.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload, IfNoneMatch: "*" }));
  expect((await failure(call)).status).toBe(412);
  expect(await s3.text("taken")).toBe("1");
});

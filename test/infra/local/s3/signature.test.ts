import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucket, createClient, credentials, failure, type S3Fixture, startFixture } from "./s3-fixture.ts";
import { type RawRequest, sendRaw } from "./signer.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
  await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: "a/1.txt", Body: "hello world" }));
});
afterAll(() => s3.stop());

const raw = (more: Partial<RawRequest>) =>
  sendRaw({ method: "GET", endpoint: s3.server.url, path: `/${bucket}/a/1.txt`, credentials, ...more });
const code = (body: string) => /<Code>(.*?)<\/Code>/.exec(body)?.[1];

describe("a presigned URL", () => {
  const presign = (command: GetObjectCommand | PutObjectCommand, expiresIn = 60) =>
    getSignedUrl(s3.client, command, { expiresIn });
  const get = new GetObjectCommand({ Bucket: bucket, Key: "a/1.txt", ResponseContentType: "text/html" });

  test("reads and writes without further credentials", async () => {
    const read = await fetch(await presign(get));
    expect([read.status, await read.text(), read.headers.get("content-type")]).toEqual([
      200,
      "hello world",
      "text/html",
    ]);
    const put = new PutObjectCommand({ Bucket: bucket, Key: "pre signed+ü", Metadata: { a: "b" } });
    expect((await fetch(await presign(put), { method: "PUT", body: "pp" })).status).toBe(200);
    expect(await s3.text("pre signed+ü")).toBe("pp");
    const found = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: "pre signed+ü" }));
    expect(found.Metadata).toEqual({ a: "b" });
  });

  test("may carry metadata that is not valid in a header", async () => {
    const put = new PutObjectCommand({ Bucket: bucket, Key: "named", Metadata: { title: "日記\n" } });
    expect((await fetch(await presign(put), { method: "PUT", body: "x" })).status).toBe(200);
    const found = await s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: "named" }));
    expect(found.Metadata).toEqual({ title: `=?UTF-8?B?${Buffer.from("日記\n").toString("base64")}?=` });
  });

  test("that was changed is rejected", async () => {
    const url = await presign(get);
    const signature = await fetch(url.replace(/X-Amz-Signature=.{6}/, "X-Amz-Signature=000000"));
    expect([signature.status, code(await signature.text())]).toEqual([403, "SignatureDoesNotMatch"]);
    expect((await fetch(url.replace("1.txt", "2.txt"))).status).toBe(403);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(403);
    expect((await fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).status).toBe(403);
  });

  test("that has expired is rejected", async () => {
    const url = await getSignedUrl(s3.client, get, { expiresIn: 60, signingDate: new Date(Date.now() - 61_000) });
    const response = await fetch(url);
    expect([response.status, code(await response.text())]).toEqual([403, "AccessDenied"]);
  });
});

describe("a request", () => {
  test("without a signature is rejected", async () => {
    const response = await fetch(`${s3.server.url}/${bucket}/a/1.txt`);
    expect([response.status, code(await response.text())]).toEqual([403, "AccessDenied"]);
  });

  test("with another access key or secret is rejected", async () => {
    const other = createClient(s3.server.url, { credentials: { ...credentials, secretAccessKey: "wrong" } });
    const command = new GetObjectCommand({ Bucket: bucket, Key: "a/1.txt" });
    expect(await failure(other.send(command))).toEqual({ status: 403, name: "SignatureDoesNotMatch" });
    const stranger = createClient(s3.server.url, { credentials: { ...credentials, accessKeyId: "stranger" } });
    expect(await failure(stranger.send(command))).toEqual({ status: 403, name: "InvalidAccessKeyId" });
    other.destroy();
    stranger.destroy();
  });

  test("signed more than 15 minutes ago is rejected", async () => {
    const response = await raw({ now: new Date(Date.now() - 16 * 60_000) });
    expect([response.status, code(response.body)]).toEqual([403, "RequestTimeTooSkewed"]);
  });

  test("with an unsigned x-amz header is rejected", async () => {
    expect((await raw({})).body).toBe("hello world");
    const response = await raw({ unsigned: { "x-amz-meta-added": "on the way" } });
    expect([response.status, code(response.body)]).toEqual([403, "AccessDenied"]);
  });

  test("whose body differs from the signed body is rejected", async () => {
    const response = await raw({ method: "PUT", path: `/${bucket}/swapped`, payload: "0".repeat(64), body: "x" });
    expect([response.status, code(response.body)]).toEqual([400, "XAmzContentSHA256Mismatch"]);
    expect((await raw({ path: `/${bucket}/swapped` })).status).toBe(404);
  });
});

describe("a stream in chunks", () => {
  const size = (text: string) => ({ "x-amz-decoded-content-length": String(text.length) });
  const stream = (more: Partial<RawRequest>) =>
    raw({ method: "PUT", path: `/${bucket}/streamed`, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", ...more });

  test("is verified with the checksum in its trailer", async () => {
    const trailing = (checksum: string) =>
      stream({
        headers: { ...size("123456789"), "x-amz-trailer": "x-amz-checksum-crc32" },
        body: `9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`,
      });
    expect([(await trailing("y/Q5Jg==")).status, await s3.text("streamed")]).toEqual([200, "123456789"]);
    expect(code((await trailing("AAAAAA==")).body)).toBe("BadDigest");
  });

  test("that is shorter or longer than it says is rejected", async () => {
    const chunk = "4\r\n1234\r\n";
    const short = await stream({ headers: size("12345"), body: `${chunk}0\r\n\r\n` });
    const long = await stream({ headers: size("123"), body: `${chunk}0\r\n\r\n` });
    const cut = await stream({ headers: size("1234"), body: chunk.slice(0, -3) });
    expect([short, long, cut].map(({ body }) => code(body))).toEqual(Array(3).fill("IncompleteBody"));
  });

  test("that lacks its announced trailer is rejected", async () => {
    const sent = await stream({
      headers: { ...size("1234"), "x-amz-trailer": "x-amz-checksum-crc32" },
      body: "4\r\n1234\r\n0\r\n\r\n",
    });
    expect([sent.status, code(sent.body)]).toEqual([400, "MalformedTrailerError"]);
  });

  test("with signed chunks, which are not supported, is rejected", async () => {
    const sent = await stream({ payload: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headers: size("1234"), body: "" });
    expect([sent.status, code(sent.body)]).toEqual([501, "NotImplemented"]);
  });
});

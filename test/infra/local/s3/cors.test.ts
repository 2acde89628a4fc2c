import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bucket, type S3Fixture, startFixture } from "./s3-fixture.ts";

let s3: S3Fixture;
beforeAll(async () => {
  s3 = await startFixture();
  await s3.server.ensureBucket(
    bucket,
    [],
    [
      {
        AllowedOrigins: ["*"],
        AllowedMethods: ["PUT"],
        AllowedHeaders: ["content-type", "x-amz-checksum-sha256"],
        MaxAge: 60,
      },
      { AllowedOrigins: ["https://chat.example.com"], AllowedMethods: ["GET"] },
    ],
  );
});
afterAll(() => s3.stop());

const preflight = async (method: string, origin: string, headers?: string) => {
  const answer = await fetch(`${s3.server.url}/${bucket}/a`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      ...(headers && { "access-control-request-headers": headers }),
    },
  });
  await answer.text();
  return answer;
};

test("a preflight request is answered without a signature, with what the rule allows", async () => {
  const { status, headers } = await preflight("PUT", "https://a.org", "content-type, X-Amz-Checksum-Sha256");
  expect(status).toBe(200);
  expect(Object.fromEntries(headers)).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "PUT",
    "access-control-allow-headers": "content-type, X-Amz-Checksum-Sha256",
    "access-control-max-age": "60",
  });
});

test.each([
  ["a method", "DELETE", "https://a.org", undefined],
  ["an origin", "GET", "https://example.com", undefined],
  ["a header", "PUT", "https://a.org", "content-type, x-other"],
])("a preflight request with %s that no rule allows is refused", async (_, method, origin, names) => {
  const { status, headers } = await preflight(method, origin, names);
  expect([status, headers.get("access-control-allow-origin")]).toEqual([403, null]);
});

test("an answer can be read by the origins of the rule only, and no browser guesses at its type", async () => {
  await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: "a", Body: "x" }));
  const url = await getSignedUrl(s3.client, new GetObjectCommand({ Bucket: bucket, Key: "a" }));
  const read = async (origin: string) => {
    const { headers } = await fetch(url, { headers: { origin } });
    return ["access-control-allow-origin", "x-content-type-options"].map((name) => headers.get(name));
  };
  expect(await read("https://chat.example.com")).toEqual(["https://chat.example.com", "nosniff"]);
  expect(await read("https://a.org")).toEqual([null, "nosniff"]);
});

test("an error can be read by a page, too", async () => {
  const answer = await fetch(`${s3.server.url}/${bucket}/a`, {
    method: "PUT",
    headers: { origin: "https://a.org" },
    body: "x",
  });
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([403, "*"]);
});

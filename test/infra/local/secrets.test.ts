import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSecrets } from "../../../infra/local/secrets.ts";
import { temporaryDirectory } from "./fixture-assembly.ts";

const { directory, remove } = temporaryDirectory();
const file = path.join(directory, "secrets.json");
let secrets: Awaited<ReturnType<typeof startSecrets>>;
let client: SecretsManagerClient;

beforeAll(async () => {
  secrets = await startSecrets(file);
  secrets.ensureSecret("key");
  client = new SecretsManagerClient({
    endpoint: secrets.url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  await secrets.close();
  remove();
});

const get = (SecretId: string) => client.send(new GetSecretValueCommand({ SecretId }));

test("a secret is generated once, stored in a file that only its owner can read, and found by name and by ARN", async () => {
  const { SecretString = "" } = await get("key");
  expect(SecretString).toHaveLength(64);
  const arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:key";
  expect(await get(arn)).toMatchObject({ ARN: arn, Name: "key", SecretString });
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ key: SecretString });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await startSecrets(file);
  again.ensureSecret("key");
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ key: SecretString });
  await again.close();
});

test("a secret that does not exist causes ResourceNotFoundException", async () => {
  await expect(get("other")).rejects.toMatchObject({ name: "ResourceNotFoundException" });
});

test("a request of a web page and a body that is not JSON are refused, and the server keeps running", async () => {
  const target = { "x-amz-target": "secretsmanager.GetSecretValue" };
  const post = (headers: Record<string, string>, body: string) =>
    fetch(secrets.url, { method: "POST", headers, body }).then((response) => response.json());
  expect(await post({}, "no JSON")).toMatchObject({ __type: "MissingAuthenticationTokenException" });
  expect(await post({ ...target, origin: "https://evil.example" }, '{"SecretId":"key"}')).toMatchObject({
    __type: "MissingAuthenticationTokenException",
  });
  const authorization = "AWS4-HMAC-SHA256 Credential=local";
  expect(await post({ ...target, authorization }, "no JSON")).toMatchObject({ __type: "SerializationException" });
  expect((await get("key")).Name).toBe("key");
});

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { lockDirectory } from "../../../infra/local/dynamodb/lock-directory.ts";
import { startDynamo } from "../../../infra/local/dynamodb/start-dynamo.ts";
import { openCheckpoint } from "../../../infra/local/events/checkpoint.ts";
import { startSqs } from "../../../infra/local/events/sqs.ts";
import { loadIssuerKey } from "../../../infra/local/issuer/issuer-key.ts";
import { startS3 } from "../../../infra/local/s3/s3-server.ts";
import { startSecrets } from "../../../infra/local/secrets.ts";
import { temporaryDirectory } from "./fixture-assembly.ts";

const { directory, remove } = temporaryDirectory();
const data = path.join(directory, "data");
const log = () => {};
const credentials = { accessKeyId: "local", secretAccessKey: "local" };

beforeEach(() => {
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
});
afterAll(remove);

it.each<[string, string, () => unknown, string]>([
  ["issuer.json", "{", () => loadIssuerKey(data), "Delete it: the host creates a new key"],
  ["issuer.json", "{}", () => loadIssuerKey(data), "Delete it: the host creates a new key"],
  ["secrets.json", "", () => startSecrets(path.join(data, "secrets.json")), "Restore it from a copy, or delete it"],
  ["secrets.json", '{"key":1}', () => startSecrets(path.join(data, "secrets.json")), "or delete it"],
  ["checkpoint.json", "{}", () => openCheckpoint(path.join(data, "checkpoint.json"), "arn"), "Delete it"],
  ["queues.sqlite", "no database", () => startSqs({ directory: data, log }), "or delete it: the dead letters"],
  [
    "index.sqlite",
    "no database",
    () => startS3({ directory: data, ...credentials, log }),
    "or start empty with --fresh",
  ],
  ["database.sqlite", "no database", () => startDynamo({ directory: data, log }), "or start empty with --fresh"],
  ["host.lock", "no database", () => lockDirectory(data), "If no host is running, delete this file"],
])("a damaged %s (%j) is named with what to do, and left as it is", async (name, content, open, remedy) => {
  const file = path.join(data, name);
  writeFileSync(file, content);
  const error = await Promise.resolve()
    .then(open)
    .then(
      () => undefined,
      (failure: unknown) => failure as Error,
    );
  expect(error?.message).toContain(file);
  expect(error?.message).toContain(remedy);
});

import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { startSqs } from "../../../infra/local/events/sqs.ts";
import { hashId } from "../../../shared/hash.ts";
import { createDeadLetters } from "../../../shared/metrics/dead-letters.aws.ts";
import { createDeadLetterEraser } from "../../../shared/privacy/erase-dead-letters.aws.ts";

let sqs: Awaited<ReturnType<typeof startSqs>>;
let client: SQSClient;
let url: string;
let queues = 0;
beforeAll(async () => {
  sqs = await startSqs({ directory: null, log: () => undefined });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  client = new SQSClient({ endpoint: sqs.url, region: "us-east-1", credentials });
});
afterAll(async () => {
  client.destroy();
  await sqs.close();
});
beforeEach(() => {
  url = sqs.ensureQueue(`dead-letters-${queues++}`);
});

const send = (...bodies: string[]) =>
  Promise.all(bodies.map((MessageBody) => client.send(new SendMessageCommand({ QueueUrl: url, MessageBody }))));
const left = async () => (await createDeadLetters(url, client)()).count;
const found = async (user: string, eraserOf = createDeadLetterEraser(url, client)) =>
  (await eraserOf(user).search(true))["dead letters"];

const failure = (errorMessage: string) =>
  JSON.stringify({ requestPayload: { source: "aws.events" }, responsePayload: { errorMessage } });

it("an erasure deletes the dead letters that name the user, and no others", async () => {
  const mine = [
    failure("The key archive/dt=2026-11-21/ann%40example.com/s1.jsonl.gz does not exist"),
    failure("The item U#ann@example.com#S#s1 is too large"),
    failure("The item U#ann@example.com"),
    failure(`user ${hashId("ann@example.com")} failed`),
  ];
  const others = [
    failure("The item U#ann@example.com.au#S#s1 is too large"),
    failure("The key files/ann%40example.com.au/f1 does not exist"),
    failure("ann@example.com"),
    JSON.stringify({ DDBStreamBatchInfo: { shardId: "shard-1", startSequenceNumber: "1", endSequenceNumber: "9" } }),
    ...Array.from({ length: 25 }, (_, n) => failure(`Error ${n}`)),
  ];
  await send(...others, ...mine);
  expect(await found("ann@example.com")).toBe(4);
  const eraser = createDeadLetterEraser(url, client)("ann@example.com");
  for (let runs = 0; runs < 2; runs++) expect(await eraser.erase(true, () => false)).toBe(true);
  expect(await found("ann@example.com")).toBe(0);
  expect(await left()).toBe(others.length);
});

it("the erasure of a user whose id is a common word deletes no dead letters of others", async () => {
  await send(failure("Error"), JSON.stringify({ version: "1.0" }));
  for (const user of ["aws.events", "Error", "1.0", ".*", "U"]) {
    expect(await found(user)).toBe(0);
    await createDeadLetterEraser(url, client)(user).erase(true, () => false);
  }
  expect(await left()).toBe(2);
});

it("each of several erasures that search at the same time sees every message", async () => {
  await send(failure("The item U#ann#S#s1"), failure("The item U#bob#S#s1"), failure("U#ann"));
  const eraserOf = createDeadLetterEraser(url, client);
  const counts = await Promise.all(["ann", "bob", "ann", "cid"].map((user) => found(user, eraserOf)));
  expect(counts).toEqual([2, 1, 2, 0]);
  expect(await left()).toBe(3);
});

it("the search of an empty dead-letter queue takes one call", async () => {
  let calls = 0;
  const send = (command: never) => {
    calls++;
    return client.send(command);
  };
  const counting = { send } as Pick<SQSClient, "send">;
  expect(await createDeadLetterEraser(url, counting)("ann").search(true)).toEqual({ "dead letters": 0 });
  expect(calls).toBe(1);
});

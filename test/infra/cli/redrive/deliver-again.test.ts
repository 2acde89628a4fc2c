import type { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { GetRecordsCommand } from "@aws-sdk/client-dynamodb-streams";
import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import type { Deployment } from "../../../../infra/cli/find-deployment.ts";
import type { DeadLetter } from "../../../../infra/cli/redrive/dead-letter.ts";
import { deliverAgain } from "../../../../infra/cli/redrive/deliver-again.ts";
import { receiveAll } from "../../../../infra/cli/redrive/redrive-queue.ts";

/** A function that is not in `infra/functions.ts`, so that no filter removes records. */
const FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:other";

/** A deployment whose stream has records of this length, numbered from 1, and whose function records their numbers. */
function deploymentWith(records: number, characters = 1) {
  const batches: number[][] = [];
  const content = { S: "x".repeat(characters) };
  const Records = Array.from({ length: records }, (_, n) => ({
    eventName: "INSERT",
    dynamodb: { SequenceNumber: String(n + 1), Keys: {}, NewImage: { content } },
  }));
  const streams = {
    send: async (command: unknown) => (command instanceof GetRecordsCommand ? { Records } : { ShardIterator: "0" }),
  } as unknown as DynamoDBStreamsClient;
  const lambda = {
    send: async ({ input }: { input: { Payload: Uint8Array } }) => {
      const payload = JSON.parse(Buffer.from(input.Payload).toString());
      const sent = payload.Records.map((record: { dynamodb: { SequenceNumber: string } }) =>
        Number(record.dynamodb.SequenceNumber),
      );
      batches.push(sent);
      return {};
    },
  } as unknown as LambdaClient;
  return { batches, deployment: { streams, lambda } as Deployment };
}

const letterOf = (records: number): DeadLetter => ({
  kind: "stream",
  functionArn: FUNCTION,
  reason: "RetryAttemptsExhausted",
  at: undefined,
  range: {
    streamArn: "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1",
    shardId: "shard",
    startSequenceNumber: "1",
    endSequenceNumber: String(records),
    batchSize: records,
  },
});

const unused = () => Promise.reject(new Error("the reconciler is not needed"));

describe("the records of a dead letter", () => {
  it("are delivered to the function 100 at a time, in order", async () => {
    const { deployment, batches } = deploymentWith(250);
    expect(await deliverAgain(letterOf(250), deployment, unused)).toBe("250 records delivered again");
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(batches.flat()).toEqual(Array.from({ length: 250 }, (_, n) => n + 1));
  });

  it("are delivered to the function in batches of less than 6 MB, Lambda's limit", async () => {
    const { deployment, batches } = deploymentWith(20, 400_000);
    expect(await deliverAgain(letterOf(20), deployment, unused)).toBe("20 records delivered again");
    expect(batches.map(({ length }) => length)).toEqual([12, 8]);
  });

  it("may be a single record", async () => {
    expect(await deliverAgain(letterOf(1), deploymentWith(1).deployment, unused)).toBe("1 record delivered again");
  });
});

it("a message that the queue returns twice is received once", async () => {
  const answers = [["a", "b"], ["b", "c"], ["a"]];
  const send = async () => ({ Messages: answers.shift()?.map((MessageId) => ({ MessageId })) ?? [] });
  const ids: unknown[] = [];
  for await (const { MessageId } of receiveAll({ send } as unknown as SQSClient, "queue", 0)) ids.push(MessageId);
  expect(ids).toEqual(["a", "b", "c"]);
  expect(answers).toEqual([]);
});

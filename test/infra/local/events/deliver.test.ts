import { describe, expect, it } from "vitest";
import type { StreamRecord } from "../../../../infra/local/dynamodb/stream-record.ts";
import { type Delivery, deliver } from "../../../../infra/local/events/deliver.ts";
import { readMapping } from "../../../../infra/local/events/mapping.ts";

const streamArn = "arn:aws:dynamodb:eu-west-1:000000000000:table/items/stream/1";

function record(sequenceNumber: number, age = 0): StreamRecord {
  return {
    eventID: String(sequenceNumber),
    eventName: "INSERT",
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: "eu-west-1",
    eventSourceARN: streamArn,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(Date.now() / 1000) - age,
      Keys: { pk: { S: "a" } },
      SequenceNumber: String(sequenceNumber),
      SizeBytes: 1,
      StreamViewType: "NEW_AND_OLD_IMAGES",
    },
  };
}

/** Delivers records 1…n, and resolves with the invocations, the settled and the discarded records, in order. */
async function run(
  count: number,
  properties: Record<string, unknown>,
  answer: (numbers: number[], call: number) => unknown,
  records = Array.from({ length: count }, (_, i) => record(i + 1)),
) {
  const stop = new AbortController();
  const numbers = (list: StreamRecord[]) => list.map(({ dynamodb }) => Number(dynamodb.SequenceNumber));
  const seen = {
    calls: [] as number[][],
    done: [] as number[],
    discarded: [] as unknown[],
    warnings: [] as string[],
    stopped: false,
  };
  const delivery: Delivery = {
    mapping: readMapping({ FunctionName: "job", StartingPosition: "TRIM_HORIZON", ...properties }),
    async invoke(event) {
      const batch = numbers((event as { Records: StreamRecord[] }).Records);
      seen.calls.push(batch);
      if (seen.calls.length > 60) stop.abort();
      return answer(batch, seen.calls.length);
    },
    done: (list) => seen.done.push(...numbers(list)),
    async discard(list, reason, outcome) {
      seen.discarded.push([numbers(list), reason, outcome.invokeCount, outcome.threw]);
      seen.done.push(...numbers(list));
    },
    backoff: { first: 0.1, most: 1 },
    signal: stop.signal,
    log: () => undefined,
    warn: (line) => seen.warnings.push(line),
  };
  await deliver(records, delivery).catch(() => {
    seen.stopped = true;
  });
  return seen;
}

const fail = (message = "no"): never => {
  throw new Error(message);
};
const failed = (...numbers: unknown[]) => ({ batchItemFailures: numbers.map((n) => ({ itemIdentifier: n })) });
const reports = { FunctionResponseTypes: ["ReportBatchItemFailures"] };

describe("a batch of stream records", () => {
  it("is settled by one invocation that succeeds", async () => {
    expect(await run(3, {}, () => null)).toMatchObject({ calls: [[1, 2, 3]], done: [1, 2, 3], discarded: [] });
  });

  it("is delivered again as a whole after an error", async () => {
    const seen = await run(2, {}, (_, call) => (call < 3 ? fail() : undefined));
    expect(seen).toMatchObject({
      calls: [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      done: [1, 2],
    });
  });

  it("is discarded when its retries are exhausted, and retried without limit by default", async () => {
    const seen = await run(2, { MaximumRetryAttempts: 2 }, () => fail());
    expect(seen.calls).toHaveLength(3);
    expect(seen.discarded).toEqual([[[1, 2], "RetryAttemptsExhausted", 3, true]]);
    expect(seen.warnings).toEqual(["job: discarding a batch of 2 after 3 invocations: no"]);
    expect(await run(2, {}, () => fail())).toMatchObject({ stopped: true, done: [], discarded: [] });
  });

  it("is delivered again from the first reported record", async () => {
    const seen = await run(5, reports, (_, call) => (call === 1 ? failed("4", "3") : {}));
    expect(seen).toMatchObject({
      calls: [
        [1, 2, 3, 4, 5],
        [3, 4, 5],
      ],
      done: [1, 2, 3, 4, 5],
    });
  });

  it.each([null, undefined, {}, { batchItemFailures: null }, { batchItemFailures: [] }])(
    "succeeds with %j",
    async (answer) => {
      expect((await run(2, reports, () => answer)).calls).toHaveLength(1);
    },
  );

  it.each([failed(""), failed(null), failed("99"), failed("2", "99"), { batchItemFailures: [{ id: "2" }] }, "fine"])(
    "fails whole with %j",
    async (answer) => {
      const seen = await run(2, reports, (_, call) => (call === 1 ? answer : null));
      expect(seen.calls).toEqual([
        [1, 2],
        [1, 2],
      ]);
    },
  );

  it("ignores reported items when the mapping does not enable them", async () => {
    expect((await run(2, {}, () => failed("1"))).calls).toHaveLength(1);
  });

  it("counts retries per record at which it fails", async () => {
    const failures = new Map([
      [2, 2],
      [4, 2],
    ]);
    const seen = await run(5, { ...reports, MaximumRetryAttempts: 2 }, (batch) => {
      for (const n of batch) {
        const left = failures.get(n) ?? 0;
        if (left > 0) {
          failures.set(n, left - 1);
          return failed(String(n));
        }
      }
      return null;
    });
    expect(seen).toMatchObject({ done: [1, 2, 3, 4, 5], discarded: [] });
  });

  it("discards the records after a poison record when bisecting is off, as Lambda does", async () => {
    const seen = await run(4, { ...reports, MaximumRetryAttempts: 1 }, (batch) =>
      batch.includes(2) ? failed("2") : null,
    );
    expect(seen.discarded).toEqual([[[2, 3, 4], "RetryAttemptsExhausted", 2, false]]);
  });

  it("is bisected down to the poison record, and only that is discarded", async () => {
    const poison = (batch: number[]) => (batch.includes(6) ? fail("poison") : null);
    const seen = await run(8, { BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1 }, poison);
    expect(seen.discarded).toEqual([[[6], "RetryAttemptsExhausted", 3, true]]);
    expect(seen.done).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seen.calls).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6], [5], [6], [6], [7, 8]]);
  });

  it("is split at the reported record when bisecting, and then bisected down to it", async () => {
    const answer = (batch: number[]) => (batch.includes(3) ? failed("3") : null);
    const seen = await run(6, { ...reports, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 0 }, answer);
    expect(seen.discarded).toEqual([[[3], "RetryAttemptsExhausted", 1, false]]);
    expect(seen.done).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("discards records that are too old before it invokes the function", async () => {
    const records = [record(1, 120), record(2, 90), record(3)];
    const seen = await run(3, { MaximumRecordAgeInSeconds: 60 }, () => null, records);
    expect(seen).toMatchObject({ calls: [[3]], discarded: [[[1, 2], "RecordAgeExceeded", 0, false]] });
  });
});

import {
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  TrimmedDataAccessException,
} from "@aws-sdk/client-dynamodb-streams";
import { describe, expect, it } from "vitest";
import { readRange } from "../../../../infra/cli/redrive/read-range.ts";

const STREAM = "arn:aws:dynamodb:eu-central-1:000000000000:table/conversations/stream/1";
const rangeOf = (startSequenceNumber: string, endSequenceNumber: string) => ({
  streamArn: STREAM,
  shardId: "shard",
  startSequenceNumber,
  endSequenceNumber,
  batchSize: 1,
});

/** A shard that returns these pages of sequence numbers, one per read, and then empty pages. */
function shardOf(...pages: number[][]) {
  const seen = { reads: 0 };
  const send = async (command: unknown) => {
    if (command instanceof GetShardIteratorCommand) return { ShardIterator: "0" };
    if (!(command instanceof GetRecordsCommand)) throw new Error("the test knows no such command");
    const page = pages[seen.reads++] ?? [];
    return {
      NextShardIterator: String(seen.reads),
      Records: page.map((number) => ({ eventName: "REMOVE", dynamodb: { SequenceNumber: String(number), Keys: {} } })),
    };
  };
  return { seen, streams: { send } as unknown as DynamoDBStreamsClient };
}

const numbers = ({ records }: Awaited<ReturnType<typeof readRange>>) =>
  records.map(({ dynamodb }) => Number(dynamodb.SequenceNumber));

describe("a range of a stream", () => {
  it("has the records from its start to its end, even when a page has more", async () => {
    const { streams, seen } = shardOf([8, 9, 10, 11], [12, 13, 14]);
    const read = await readRange(streams, rangeOf("10", "12"));
    expect(numbers(read)).toEqual([10, 11, 12]);
    expect(seen.reads).toBe(2);
  });

  it("compares sequence numbers as numbers of any length, not as text", async () => {
    const { streams } = shardOf([9, 10, 100]);
    expect(numbers(await readRange(streams, rangeOf("9", "10")))).toEqual([9, 10]);
    const large = "111100000000000000000000001";
    const page = { streams: shardOf().streams };
    page.streams.send = (async (command: unknown) =>
      command instanceof GetShardIteratorCommand
        ? { ShardIterator: "0" }
        : {
            Records: ["0", "1", "2"].map((last) => ({
              dynamodb: { SequenceNumber: large.slice(0, -1) + last },
            })),
          }) as never;
    const { records } = await readRange(page.streams, rangeOf(large, large));
    expect(records.map(({ dynamodb }) => dynamodb.SequenceNumber)).toEqual([large]);
  });

  it("is read on after empty pages, which an open shard may return, up to a limit", async () => {
    const { streams } = shardOf([], [], [5], [], [6]);
    expect(await readRange(streams, rangeOf("5", "6"))).toMatchObject({ complete: true });
    const silent = shardOf([5]);
    const read = await readRange(silent.streams, rangeOf("5", "6"));
    expect([numbers(read), silent.seen.reads]).toEqual([[5], 11]);
  });

  it("is incomplete when its first records have left the stream", async () => {
    const read = await readRange(shardOf([11, 12]).streams, rangeOf("10", "12"));
    expect([numbers(read), read.complete]).toEqual([[11, 12], false]);
    const send = async () => {
      throw new TrimmedDataAccessException({ message: "gone", $metadata: {} });
    };
    const gone = await readRange({ send } as unknown as DynamoDBStreamsClient, rangeOf("10", "12"));
    expect(gone).toEqual({ records: [], complete: false });
  });

  it("does not count as gone when the stream cannot be read for another reason", async () => {
    const send = async () => {
      throw new Error("AccessDenied");
    };
    const reading = readRange({ send } as unknown as DynamoDBStreamsClient, rangeOf("10", "12"));
    await expect(reading).rejects.toThrow("AccessDenied");
  });
});

import { afterEach, expect, it } from "vitest";
import type { StreamRecord } from "../../../../infra/local/dynamodb/stream-record.ts";
import { openBatchQueue } from "../../../../infra/local/events/batch-queue.ts";

let stopping = new AbortController();
afterEach(() => {
  stopping.abort();
  stopping = new AbortController();
});

const record = (id: number, bytes: number) =>
  ({ eventID: String(id), dynamodb: { NewImage: { text: { S: "x".repeat(bytes) } } } }) as unknown as StreamRecord;

/** The batches of records with these sizes, as record ids. */
async function batchesOf(sizes: number[], batchSize: number): Promise<string[][]> {
  const batches: string[][] = [];
  const queue = openBatchQueue({
    batchSize,
    window: 0,
    signal: stopping.signal,
    deliver: async (batch) => void batches.push(batch.map(({ eventID }) => eventID)),
  });
  for (const [id, bytes] of sizes.entries()) queue.add(record(id, bytes));
  await expect.poll(() => batches.flat().length).toBe(sizes.length);
  return batches;
}

it("a batch has no more records than its size", async () => {
  expect(await batchesOf([1, 1, 1, 1, 1], 2)).toEqual([["0", "1"], ["2", "3"], ["4"]]);
});

it("a batch never exceeds the bytes of an invocation, and a record over the limit is a batch of its own", async () => {
  const MB = 1_000_000;
  expect(await batchesOf([3 * MB, 2 * MB, 2 * MB, 7 * MB, 1], 10)).toEqual([["0", "1"], ["2"], ["3"], ["4"]]);
});

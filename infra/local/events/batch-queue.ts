import { setTimeout as sleep } from "node:timers/promises";
import type { StreamRecord } from "../dynamodb/stream-record.ts";

/** Bytes of JSON that one invocation takes at most. */
const PAYLOAD_LIMIT = 6_000_000;
/** Bytes for the JSON around the records. */
const ENVELOPE = 1_000;

export interface BatchQueue {
  add(record: StreamRecord): void;
  /** Resolves when the signal was aborted and the running delivery has ended. */
  finished: Promise<void>;
}

/**
 * Gathers records into batches and delivers one batch after the other, in order. A batch is full at `batchSize` records
 * or the payload limit, and is delivered when it is full or `window` seconds after its first record came.
 */
export function openBatchQueue(options: {
  batchSize: number;
  window: number;
  deliver: (batch: StreamRecord[]) => Promise<void>;
  signal: AbortSignal;
}): BatchQueue {
  const { batchSize, window, signal } = options;
  const waiting: { record: StreamRecord; bytes: number; since: number }[] = [];
  let wake = () => {};
  signal.addEventListener("abort", () => wake());

  /** How many of the waiting records fit into one invocation; a record that is too big alone is one batch all the same. */
  const fitting = (): number => {
    let bytes = ENVELOPE;
    const end = waiting.findIndex((entry, index) => {
      bytes += entry.bytes;
      return index === batchSize || (index > 0 && bytes > PAYLOAD_LIMIT);
    });
    return end === -1 ? waiting.length : end;
  };

  const isFull = () => waiting.length >= batchSize || fitting() < waiting.length;

  const take = () => waiting.splice(0, fitting()).map(({ record }) => record);

  /** Until something happens, or for so many milliseconds. */
  const pause = async (milliseconds?: number) => {
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const late = milliseconds === undefined ? [] : [sleep(milliseconds, undefined, { signal: timer.signal })];
    await Promise.race([woken, ...late]).finally(() => timer.abort());
  };

  const run = async () => {
    while (!signal.aborted) {
      const [first] = waiting;
      if (!first) {
        await pause();
        continue;
      }
      const left = first.since + window * 1000 - performance.now();
      if (left > 0 && !isFull()) await pause(left);
      else await options.deliver(take());
    }
  };

  return {
    add(record) {
      waiting.push({ record, bytes: Buffer.byteLength(JSON.stringify(record)) + 1, since: performance.now() });
      wake();
    },
    finished: run(),
  };
}

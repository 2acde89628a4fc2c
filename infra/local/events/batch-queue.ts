import { setTimeout as sleep } from "node:timers/promises";
import type { StreamRecord } from "../dynamodb/stream-record.ts";

/** Bytes of JSON per invocation at most. */
const PAYLOAD_LIMIT = 6_000_000;
/** Bytes for the JSON around the records. */
const ENVELOPE = 1_000;

/**
 * Collects records in batches and delivers one batch at a time, in order. A batch is delivered when it has `batchSize` records, when it
 * reaches the payload limit, or `window` seconds after its first record.
 */
export function openBatchQueue(options: {
  batchSize: number;
  window: number;
  deliver: (batch: StreamRecord[]) => Promise<void>;
  signal: AbortSignal;
}) {
  const { batchSize, window, signal } = options;
  const waiting: { record: StreamRecord; bytes: number; since: number }[] = [];
  let wake = () => {};
  signal.addEventListener("abort", () => wake());

  /** Number of waiting records that fit into one invocation. A record over the limit is a batch by itself. */
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

  /** Waits for a record or the abort, or at most for this time. */
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
    add(record: StreamRecord): void {
      waiting.push({ record, bytes: Buffer.byteLength(JSON.stringify(record)) + 1, since: performance.now() });
      wake();
    },
    /** Resolves after the signal is aborted and the running delivery has ended. */
    finished: run(),
  };
}

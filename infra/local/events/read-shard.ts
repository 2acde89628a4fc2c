import { setTimeout as sleep } from "node:timers/promises";
import type { StartAt, StreamReader } from "../dynamodb/stream-reader.ts";
import type { StreamRecord } from "../dynamodb/stream-record.ts";
import type { Progress } from "./progress.ts";

/** Milliseconds between two reads while there are records, and at most while there are none. */
const BUSY_DELAY = 100;
const IDLE_DELAY = 250;
/** Milliseconds before a retry after an error. */
const ERROR_DELAY = 500;
/** Reading pauses while this many records or bytes wait for delivery. */
const PENDING_RECORDS = 10_000;
const PENDING_BYTES = 64_000_000;
/** Records of the first read. Later reads aim at pages of this many bytes. */
const FIRST_LIMIT = 100;
const PAGE_BYTES = 4_000_000;

/** Reads a shard from its position and passes the records on in order, until the shard ends or the signal aborts. */
export async function readShard(options: {
  reader: StreamReader;
  streamArn: string;
  shardId: string;
  /** Where to begin when there is no position. */
  start: "TRIM_HORIZON" | "LATEST";
  progress: Progress;
  take: (records: StreamRecord[]) => void;
  signal: AbortSignal;
  log: (line: string) => void;
}): Promise<void> {
  const { reader, streamArn, shardId, progress, signal, log } = options;
  let position = progress.position;
  let iterator: string | undefined;
  let limit = FIRST_LIMIT;
  let delay = BUSY_DELAY;

  while (!signal.aborted) {
    if (progress.pending > PENDING_RECORDS || progress.pendingBytes > PENDING_BYTES) {
      await pause(BUSY_DELAY);
      continue;
    }
    try {
      if (position === undefined && options.start === "LATEST") {
        // Store the position before the first record. Otherwise the next start would skip records written while the host was down.
        position = await reader.latest(streamArn, shardId);
        if (position !== undefined) progress.readTo(position);
        options.take([]);
      }
      iterator ??= await reader.iterator(streamArn, shardId, startAt());
      const page = await reader.records(iterator, streamArn, limit);
      iterator = page.next;
      if (page.lastSequenceNumber !== undefined) {
        position = page.lastSequenceNumber;
        progress.readTo(position);
        options.take(page.records);
      }
      if (iterator === undefined) return;
      const isFull = page.count >= limit;
      if (page.count > 0) limit = Math.min(1_000, Math.max(10, Math.floor((PAGE_BYTES * page.count) / page.bytes)));
      delay = page.count > 0 ? BUSY_DELAY : Math.min(delay + 10, IDLE_DELAY);
      if (!isFull) await pause(delay);
    } catch (error) {
      if (signal.aborted) return;
      iterator = undefined;
      if (error instanceof Error && error.name === "TrimmedDataAccessException") {
        log(`${streamArn}: the stream no longer has the records after ${position}; continuing with its oldest record.`);
        position = "0";
      } else {
        log(`${streamArn}: reading failed, retrying: ${error instanceof Error ? error.message : error}`);
      }
      await pause(ERROR_DELAY);
    }
  }

  function startAt(): StartAt {
    if (position === undefined) return { type: options.start };
    if (position === "0") return { type: "TRIM_HORIZON" };
    return { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber: position };
  }

  async function pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}

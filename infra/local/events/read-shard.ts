import { setTimeout as sleep } from "node:timers/promises";
import type { StreamReader } from "../dynamodb/stream-reader.ts";
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
      iterator ??= await reader.iterator(streamArn, shardId, position);
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
        position = undefined;
      } else {
        log(`${streamArn}: reading failed, retrying: ${error instanceof Error ? error.message : error}`);
      }
      await pause(ERROR_DELAY);
    }
  }

  async function pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}

import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Shard, StreamReader } from "../dynamodb/stream-reader.ts";
import type { StreamRecord } from "../dynamodb/stream-record.ts";
import { openBatchQueue } from "./batch-queue.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { type Backoff, deliver } from "./deliver.ts";
import { invocationRecord } from "./invocation-record.ts";
import { readMapping } from "./mapping.ts";
import { trackProgress } from "./progress.ts";
import { readShard } from "./read-shard.ts";

/** Milliseconds that `stop` waits for running invocations at most. */
const STOP_TIMEOUT = 10_000;
/** Milliseconds between two checks for new shards. Only engines other than the embedded one split shards. */
const SHARD_REFRESH = 30_000;
/** Milliseconds between two checks whether all records of a closed shard are settled. */
const DRAIN_POLL = 50;
const BACKOFF: Backoff = { first: 200, most: 10_000 };

interface StreamPollerOptions {
  reader: StreamReader;
  streamArn: string;
  /** Resolved properties of an AWS::Lambda::EventSourceMapping. */
  mapping: Record<string, unknown>;
  /** Readable name of the function. @default its name */
  functionLabel?: string;
  /** Invokes the function. Rejects when the function fails. */
  invoke: (event: object) => Promise<unknown>;
  checkpointFile: string;
  /** Sends Lambda's invocation record to the mapping's on-failure destination. Called only if there is one. */
  sendToDestination: (record: object) => Promise<void>;
  log: (line: string) => void;
  warn: (line: string, more?: string) => void;
  /** Delays between retries. @default 0.2 s, doubled up to 10 s */
  backoff?: Backoff;
}

/**
 * Starts an event-source mapping from a table's stream to a function, with Lambda's semantics. Delivery is at least once and in order
 * per partition key. The checkpoint passes only settled records.
 * Throws the errors of `readMapping`.
 */
export function startStreamPoller(options: StreamPollerOptions): { stop(): Promise<void> } {
  const { reader, streamArn, log, warn, backoff = BACKOFF } = options;
  const mapping = readMapping(options.mapping, options.functionLabel);
  const checkpoint = openCheckpoint(options.checkpointFile, streamArn);
  const stopping = new AbortController();
  const { signal } = stopping;
  // Every batch queue and every pause listens to it.
  setMaxListeners(0, signal);

  const poll = async () => {
    const partitionKey = await retry(() => reader.partitionKey(streamArn));
    const started = new Map<string, Promise<void>>();
    const ended = new Set<string>();
    while (!signal.aborted) {
      for (const shard of await retry(() => reader.shards(streamArn))) {
        // Read a child shard only after the end of its parent.
        const waits = shard.parentShardId && started.has(shard.parentShardId) && !ended.has(shard.parentShardId);
        if (waits || started.has(shard.shardId)) continue;
        started.set(
          shard.shardId,
          consume(shard, partitionKey).then(() => void ended.add(shard.shardId)),
        );
      }
      await sleep(SHARD_REFRESH, undefined, { signal }).catch(() => undefined);
    }
    await Promise.all(started.values());
  };

  /** Reads one shard and adds its records to the batch queues, until the shard ends or the poller stops. */
  const consume = async ({ shardId }: Shard, partitionKey: string) => {
    const progress = trackProgress(checkpoint.get(shardId));
    const save = () => progress.position !== undefined && checkpoint.set(shardId, progress.position);
    const done = (records: StreamRecord[]) => {
      for (const { dynamodb } of records) progress.settle(dynamodb.SequenceNumber);
      save();
    };
    const discard: Parameters<typeof deliver>[1]["discard"] = async (records, reason, outcome) => {
      const [first, ...others] = records;
      if (first && mapping.hasDestination) {
        const record = invocationRecord({
          records: [first, ...others],
          shardId,
          functionArn: mapping.functionArn,
          reason,
          ...outcome,
        });
        await retry(() => options.sendToDestination(record));
      }
      done(records);
    };
    const delivery = { mapping, invoke: options.invoke, done, discard, backoff, signal, log, warn };
    const queues = Array.from({ length: mapping.parallelization }, () =>
      openBatchQueue({ ...mapping, signal, deliver: (batch) => unlessStopped(deliver(batch, delivery)) }),
    );
    await readShard({
      reader,
      streamArn,
      shardId,
      progress,
      signal,
      log,
      take(records) {
        for (const record of records.filter(mapping.accepts)) {
          progress.add(record.dynamodb.SequenceNumber, record.dynamodb.SizeBytes);
          queues[queueOf(record, partitionKey, queues.length)]?.add(record);
        }
        save();
      },
    });
    while (!signal.aborted && progress.pending > 0) {
      await sleep(DRAIN_POLL, undefined, { signal }).catch(() => undefined);
    }
    if (signal.aborted) await Promise.all(queues.map(({ finished }) => finished));
  };

  async function retry<T>(work: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        log(`Event source of ${mapping.functionLabel}: ${error instanceof Error ? error.message : error}`);
        await sleep(Math.min(backoff.first * 2 ** failures, backoff.most), undefined, { signal });
      }
    }
  }

  async function unlessStopped(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  const polling = unlessStopped(poll());
  return {
    /** Waits up to 10 seconds for running invocations. The next start delivers unsettled records again. */
    async stop() {
      stopping.abort();
      await Promise.race([polling, sleep(STOP_TIMEOUT, undefined, { ref: false })]);
      checkpoint.save();
    },
  };
}

/** Index of the batch queue of a record: one per partition key, so that the order in a partition stays. */
function queueOf({ dynamodb }: StreamRecord, partitionKey: string, queues: number): number {
  if (queues === 1) return 0;
  const key = JSON.stringify(dynamodb.Keys[partitionKey]);
  return createHash("md5").update(key).digest().readUInt32BE() % queues;
}

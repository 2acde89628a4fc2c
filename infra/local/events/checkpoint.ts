import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
import type { Position } from "../dynamodb/maintain-database.ts";
import { readStoredJson } from "../read-stored.ts";

const schema = z.object({
  streamArn: z.string(),
  /** Per shard id, the sequence number up to which every record is settled. */
  shards: z.record(z.string(), z.string()),
});

/**
 * Milliseconds between two writes of the file. After a crash, the records of this time are delivered again. A write for each batch of records
 * was a quarter of the host's CPU time under load.
 */
const SAVE_EVERY = 1_000;

/** Opens the checkpoint of one event source. Ignores a checkpoint of another stream, because the table was recreated. */
export function openCheckpoint(file: string, streamArn: string) {
  const stored = readCheckpoint(file);
  const shards = stored?.streamArn === streamArn ? stored.shards : {};
  let timer: NodeJS.Timeout | undefined;

  /** Stores all positions before it returns. */
  function save(): void {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    mkdirSync(path.dirname(file), { recursive: true });
    // Renaming is atomic: if the process is killed here, the file is either the old or the new one.
    const written = `${file}.new`;
    writeFileSync(written, JSON.stringify({ streamArn, shards }));
    renameSync(written, file);
  }

  return {
    get: (shardId: string): string | undefined => shards[shardId],
    /** Stores the position of a shard: the first one before it returns, later ones within a second. */
    set(shardId: string, sequenceNumber: string): void {
      if (shards[shardId] === sequenceNumber) return;
      const isFirst = shards[shardId] === undefined;
      shards[shardId] = sequenceNumber;
      timer ??= setTimeout(save, SAVE_EVERY);
      // Without a position, the next start could delete records that only the other sources of the stream have read.
      if (isFirst) save();
    },
    save,
  };
}

/** Reads every position in the checkpoint files (`*.json`) of a directory. */
export function readPositions(directory: string): Position[] {
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".json")) : [];
  return names.flatMap((name) => {
    const { streamArn = "", shards = {} } = readCheckpoint(path.join(directory, name)) ?? {};
    return Object.values(shards).map((sequenceNumber) => ({ streamArn, sequenceNumber: BigInt(sequenceNumber) }));
  });
}

function readCheckpoint(file: string): z.infer<typeof schema> | undefined {
  return readStoredJson(file, "Delete it: the stream is then read from its start.", schema);
}

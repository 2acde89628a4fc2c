import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { readPositions } from "../events/checkpoint.ts";
import { listen } from "../listen.ts";
import { readStored } from "../read-stored.ts";
import { endOrphan } from "./end-orphan.ts";
import { type Engine, findBinary, startEngine } from "./engine.ts";
import { maintainDatabase } from "./maintain-database.ts";
import { createDatabaseStreamReader } from "./stream-reader.database.ts";
import type { StreamReader } from "./stream-reader.ts";
import { createSweeper } from "./sweeper.ts";

/** Attempts to start the engine, because another program may take the free port first. */
const START_ATTEMPTS = 5;
/** Milliseconds between two attempts to restart an engine that died. */
const RESTART_DELAY = 200;
/** A smaller difference between the clocks of this process and the engine, in seconds, is the time that passes between two readings. */
const MIN_DIFFERENCE = 60;

interface DynamoOptions {
  /** Directory of the database; null = a temporary one that `close` deletes. */
  directory: string | null;
  /** Directory of the checkpoints of event sources. The start deletes stream records that all of them have passed. */
  checkpoints?: string;
  log: (line: string) => void;
}

export interface Dynamo {
  endpoint: string;
  /** Process id of the engine. It changes when the engine dies and is restarted. */
  readonly pid: number;
  /** Reads the tables' streams. */
  streams: StreamReader;
  /** Deletes expired items as DynamoDB's TTL does. Resolves with their number. */
  sweepTtl(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Starts the embedded DynamoDB on a free port of 127.0.0.1, and restarts it when it dies. The caller must hold the lock of the
 * directory (`lockDirectory`). Throws an Error with the remedy when the engine is not installed.
 */
export async function startDynamo({ directory, checkpoints, log }: DynamoOptions): Promise<Dynamo> {
  const binary = findBinary();
  const home = directory ?? mkdtempSync(path.join(tmpdir(), "memocha-dynamodb-"));
  mkdirSync(home, { recursive: true });
  const database = path.join(realpathSync(home), "database.sqlite");
  const files = { binary, database, pidFile: path.join(home, "engine.pid") };
  await endOrphan(files.pidFile, database, log);

  const positions = checkpoints === undefined ? [] : readPositions(checkpoints);
  const remedy = "Restore it from a copy, or start empty with --fresh.";
  const maintain = () => readStored(database, remedy, () => maintainDatabase(database, positions));
  if (!maintain()) {
    // This is the first start: let the engine create its tables, and add the indexes before the first write.
    await (await startOnFreePort(files)).engine.stop();
    maintain();
  }
  const { port, engine: first } = await startOnFreePort(files);
  let engine = first;
  const db = new DatabaseSync(database);
  const ahead = await secondsAhead(port);
  const sweep = createSweeper(db, ahead);
  let closing = false;
  const guard = keepRunning();

  /** Resolves after `close`, when the last engine has ended. */
  async function keepRunning(): Promise<void> {
    for (;;) {
      const reason = await engine.ended;
      if (closing) return;
      log(`The embedded DynamoDB (pid ${engine.pid}) died: ${reason}. Starting it again.`);
      const next = await startAgain();
      if (next === undefined) return;
      engine = next;
      log(`The embedded DynamoDB runs again (pid ${engine.pid}).`);
      if (closing) await engine.stop();
    }
  }

  async function startAgain(): Promise<Engine | undefined> {
    while (!closing) {
      try {
        return await startEngine({ ...files, port });
      } catch (error) {
        log(`The embedded DynamoDB did not start: ${error instanceof Error ? error.message : error}`);
        await sleep(RESTART_DELAY);
      }
    }
    return undefined;
  }

  return {
    endpoint: `http://127.0.0.1:${port}`,
    get pid() {
      return engine.pid;
    },
    streams: createDatabaseStreamReader(db, ahead),
    sweepTtl: async () => (closing ? 0 : sweep()),
    async close() {
      if (closing) return guard;
      closing = true;
      await sweep.finished();
      db.close();
      await engine.stop();
      await guard;
      if (directory === null) rmSync(home, { recursive: true, force: true });
    },
  };
}

/**
 * Seconds by which the clock of this process is ahead of the engine's. They differ when the date of this process is faked, because the
 * engine is linked statically and sees the real date.
 */
async function secondsAhead(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await response.arrayBuffer();
  const ahead = Math.round((Date.now() - Date.parse(response.headers.get("date") ?? "")) / 1000);
  return Math.abs(ahead) > MIN_DIFFERENCE ? ahead : 0;
}

/** A port of 127.0.0.1 that is free now. */
async function freePort(): Promise<number> {
  const { port, close } = await listen(createServer(), 0);
  await close();
  return port;
}

async function startOnFreePort(files: { binary: string; database: string; pidFile: string }) {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, engine: await startEngine({ ...files, port }) };
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

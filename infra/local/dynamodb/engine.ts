import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds until the engine must answer after its start, and must end after SIGTERM. */
const READY_TIMEOUT = 10_000;
const STOP_TIMEOUT = 5_000;

interface EngineOptions {
  binary: string;
  /** The SQLite file. */
  database: string;
  /** File for the process id, so that the next start finds an orphaned engine. */
  pidFile: string;
  port: number;
}

/** A running process of the engine. */
export interface Engine {
  pid: number;
  /** Resolves with the reason when the process has ended. */
  ended: Promise<string>;
  /** Sends SIGTERM, then SIGKILL after 5 seconds. */
  stop(): Promise<void>;
}

/** Starts the engine and waits until it answers. Throws an Error with its last output when it ends instead. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const child = spawnEngine(options);
  const output = lastOutput(child);
  let running = true;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}${output()}`));
  }).then((reason) => {
    running = false;
    return reason;
  });
  if (child.pid === undefined) throw new Error(`The embedded DynamoDB did not start: ${await ended}`);
  // Write the pid file at once, so that the next start finds the engine if this process is killed now.
  writeFileSync(options.pidFile, String(child.pid));

  const stop = async () => {
    child.kill("SIGTERM");
    await Promise.race([ended, sleep(STOP_TIMEOUT, undefined, { ref: false })]);
    if (running) child.kill("SIGKILL");
    await ended;
    rmSync(options.pidFile, { force: true });
  };

  const deadline = performance.now() + READY_TIMEOUT;
  while (!(await answers(options.port))) {
    if (!running) throw new Error(`The embedded DynamoDB ended while starting: ${await ended}`);
    if (performance.now() > deadline) {
      await stop();
      throw new Error(`The embedded DynamoDB did not answer within ${READY_TIMEOUT / 1000} s.${output()}`);
    }
    await sleep(5);
  }
  // Another program may have taken the port and answered.
  if (!running) throw new Error(`The embedded DynamoDB ended while starting: ${await ended}`);
  return { pid: child.pid, ended, stop };
}

function spawnEngine({ binary, database, port }: EngineOptions): ChildProcess {
  return spawn(binary, ["serve", "--host", "127.0.0.1", "--port", String(port), "--db-path", database], {
    // One thread, because four concurrent calls take a third less time than with two: the engine works on one call at a time, and its
    // memory allocator is slow with two threads.
    env: { TOKIO_WORKER_THREADS: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C reaches the whole process group, but the engine must run until the functions have ended.
    detached: true,
  });
}

/** Keeps the last output of the process for error messages. Reading it also keeps its pipes from filling up. */
function lastOutput(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-2_000);
    });
  }
  return () => (text.trim() ? `; its last output: ${text.trim()}` : "");
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds the executable of the embedded DynamoDB for this machine.
 * Throws an Error with the remedy when its package is not installed.
 */
export function findBinary(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@dynoxide/${platform}-${arch}`;
  const missing = new Error(
    `The embedded DynamoDB has no executable for ${platform}-${arch} here: the package ${name} is not installed. ` +
      `Run "npm install" with optional dependencies (npm install --include=optional ${name}), or set DYNAMODB_ENDPOINT ` +
      "to another DynamoDB, such as http://127.0.0.1:8000 of DynamoDB Local.",
  );
  let directory: string;
  try {
    directory = path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    throw missing;
  }
  const binary = path.join(directory, platform === "win32" ? "dynoxide.exe" : "dynoxide");
  if (!existsSync(binary)) throw missing;
  return binary;
}

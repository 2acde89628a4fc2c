import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as z from "zod";
import { readStoredJson } from "./read-stored.ts";

const schema = z.object({
  pid: z.int(),
  url: z.string(),
  endpoints: z.record(z.string(), z.string()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});

/** A host that runs in another process. */
export interface RunningHost {
  /** URL of the API. */
  url: string;
  /** URL per engine: `dynamodb`, `streams`, `s3`, `sqs`, `lambda`. */
  endpoints: Record<string, string>;
  /** Outputs of every stack, by name. */
  outputs: Record<string, unknown>;
}

/**
 * Finds the host that runs on a data directory; undefined when none runs.
 * Throws an Error when the file that the host wrote cannot be read.
 */
export function findRunningHost(data: string): RunningHost | undefined {
  const stored = readStoredJson(hostFile(data), "Start the host again: it writes the file again.", schema);
  if (!stored) return undefined;
  const { pid, ...host } = stored;
  return isAlive(pid) ? host : undefined;
}

/** Writes where this process serves everything, so that `findRunningHost` finds it. Returns a function that undoes this. */
export function announceHost(data: string, host: RunningHost): () => void {
  writeFileSync(hostFile(data), `${JSON.stringify({ pid: process.pid, ...host }, null, 2)}\n`);
  return () => rmSync(hostFile(data), { force: true });
}

/** Options of an SDK client for an engine of a running host. The engines accept any credentials. */
export function engineClient(endpoint = "") {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  return { endpoint, region: "us-east-1", credentials };
}

function hostFile(data: string): string {
  return path.join(data, "host.json");
}

/** Whether a process with this id runs, whichever user owns it. A zombie does not run. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    // The format is "pid (name) state …". The name may contain blanks and brackets.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.startsWith("Z") ?? false;
  } catch {
    return false;
  }
}

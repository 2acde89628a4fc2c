import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LakeContent } from "../../../shared/lake/lake-content.ts";

const MAIN = fileURLToPath(new URL("../../../infra/cli/start/start.ts", import.meta.url));

/** Milliseconds in which a host must be ready, also on a loaded machine. */
const READY_TIMEOUT = 600_000;

interface HostFile {
  pid: number;
  url: string;
  endpoints: { dynamodb: string; s3: string; lambda: string };
  outputs: Record<string, unknown>;
}

interface HostOptions {
  /** Keeps the data of an earlier host. @default false */
  keep?: boolean;
  /** A file that gets all that the host and its functions log. @default only errors are shown */
  log?: string;
  /** Options of Node. */
  nodeOptions?: string[];
}

/** An empty local host in a process of its own, as `npm start` runs it. */
export async function startHostProcess(
  data: string,
  environment: Record<string, string> = {},
  { keep = false, log, nodeOptions = [] }: HostOptions = {},
) {
  const options = ["--port", "0", "--data", data, "--ttl-sweep", "1"];
  if (!keep) options.push("--fresh");
  if (log !== undefined) options.push("--verbose");
  rmSync(path.join(data, "host.json"), { force: true });
  const output = log === undefined ? undefined : openSync(log, "a");
  const child = spawn(process.execPath, [...nodeOptions, MAIN, ...options], {
    stdio: ["ignore", output ?? "ignore", output ?? "inherit"],
    env: { ...process.env, ...environment },
  });
  if (output !== undefined) closeSync(output);
  const stop = async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  const { pid, url, endpoints, outputs } = await ready(child, path.join(data, "host.json")).catch(async (error) => {
    await stop();
    throw error;
  });
  return {
    url,
    endpoints,
    table: String(outputs.ConversationsTableName),
    bucket: String(outputs.ArchiveBucketName),
    metricsTable: String(outputs.MetricsTableName),
    lakeFunction: String(outputs.LakeFunctionName),
    lakeContent: String(outputs.LakeContent) as LakeContent,
    pid,
    /** The largest memory so far, in bytes. */
    peak: () => ({ host: peakOf(pid), engine: peakOf(enginePidOf(data)) }),
    stop,
    /** Kills the host as `kill -9` does. The next host on the data ends its engine. */
    async kill() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

export type HostProcess = Awaited<ReturnType<typeof startHostProcess>>;

const enginePidOf = (data: string): number =>
  Number(/\d+/.exec(readFileSync(path.join(data, "dynamodb", "engine.pid"), "utf8"))?.[0]);

async function ready(child: ChildProcess, file: string): Promise<HostFile> {
  const giveUp = Date.now() + READY_TIMEOUT;
  while (!existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`the host ended with ${child.exitCode}`);
    if (Date.now() > giveUp) throw new Error("the host is not ready in time");
    await sleep(100);
  }
  await sleep(100);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The largest memory of a process on Linux; NaN on other systems. */
function peakOf(pid: number): number {
  try {
    const [, kibibytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) * 1024;
  } catch {
    return Number.NaN;
  }
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { startSqs } from "../../../infra/local/events/sqs.ts";
import { startEngines } from "../../support/engines.ts";

/** The engines of a local host, and a data directory that says where they are. */
export async function startRunningHost() {
  const data = mkdtempSync(path.join(tmpdir(), "memocha-host-"));
  const [engines, sqs] = await Promise.all([startEngines(), startSqs({ directory: null, log: () => undefined })]);
  const host = {
    pid: process.pid,
    url: "http://127.0.0.1:3000",
    endpoints: { ...engines.endpoints, sqs: sqs.url },
    outputs: {
      ConversationsTableName: engines.tableName,
      MetricsTableName: engines.metricsTable,
      ArchiveBucketName: engines.bucket,
      DeadLetterQueueUrl: sqs.ensureQueue("dead"),
    },
  };
  writeFileSync(path.join(data, "host.json"), JSON.stringify(host));
  return {
    data,
    engines,
    sqs,
    async close() {
      await Promise.all([engines.close(), sqs.close()]);
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export type RunningHost = Awaited<ReturnType<typeof startRunningHost>>;

/** Runs a command of the project to its end. */
export async function command(file: string, ...args: string[]): ReturnType<typeof run> {
  return run([file, ...args]);
}

/** Runs a command with the clock stopped at `now`, in epoch milliseconds. */
export async function commandAt(now: number, file: string, ...args: string[]): ReturnType<typeof run> {
  return run(["--import", `data:text/javascript,Date.now = () => ${now}`, file, ...args]);
}

async function run(args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, args);
  const [[code], out, err] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

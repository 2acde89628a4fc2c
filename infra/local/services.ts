import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { REGION } from "./assembly/physical.ts";
import { completeExpired, type ExpiringTable } from "./dynamodb/complete-expired.ts";
import { hasVectors } from "./dynamodb/has-vectors.ts";
import { startPermissionProxy } from "./dynamodb/permission-proxy.ts";
import { startDynamo } from "./dynamodb/start-dynamo.ts";
import { createStreamReader } from "./dynamodb/stream-reader.ts";
import { startStreamsProxy } from "./dynamodb/streams-proxy.ts";
import { startSqs } from "./events/sqs.ts";
import type { Access } from "./iam/access.ts";
import { startUserPool } from "./issuer/user-pool.ts";
import type { Credentials } from "./lambda/environment.ts";
import type { Log } from "./log.ts";
import { startS3 } from "./s3/s3-server.ts";
import { startSecrets } from "./secrets.ts";

/** Seconds between two runs of the lifecycle rules. S3 runs them once a day. */
const LIFECYCLE_EVERY = 3600;

/** The engines that functions call: the embedded ones, or those that the environment names. */
export type Services = Awaited<ReturnType<typeof startServices>>;

interface ServiceOptions {
  data: string;
  /** Endpoint of a DynamoDB that replaces the embedded one. */
  external: string | undefined;
  credentials: Credentials;
  /** The permissions of functions. */
  access: Access;
  log: Log;
}

/** Starts all engines at once. If one fails to start, stops the others and rethrows its error. */
export async function startServices({ data, external, credentials, access, log }: ServiceOptions) {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  async function started<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const service = await starting;
    closers.push(() => service.close());
    return service;
  }

  const starting = [
    external
      ? undefined
      : started(
          startDynamo({
            directory: path.join(data, "dynamodb"),
            checkpoints: path.join(data, "checkpoints"),
            log: log.detail,
          }),
        ),
    started(startS3({ directory: path.join(data, "s3"), ...credentials, access, log: log.detail })),
    started(startSqs({ directory: path.join(data, "sqs"), access, log: log.detail })),
    started(startSecrets(path.join(data, "secrets.json"), access)),
    started(startUserPool(access)),
  ] as const;
  const failed = (await Promise.allSettled(starting)).find((result) => result.status === "rejected");
  if (failed) {
    await close();
    throw failed.reason;
  }
  const [dynamo, s3, sqs, secrets, userPool] = await Promise.all(starting);
  if (dynamo) closers.push(endWithProcess(() => dynamo.pid));
  const engine = external ?? dynamo?.endpoint ?? "";
  // The embedded engine accepts any credentials. Another one may need those of the user.
  const known = dynamo ? undefined : credentials;
  const streams = await started(startStreamsProxy(engine, known));
  const dynamodbProxy = await started(
    startPermissionProxy({ endpoint: engine, credentials: known, access, log: log.detail }),
  );
  const dynamodb = new DynamoDBClient({ endpoint: engine, region: REGION, credentials });
  const vectors = dynamo !== undefined || (await hasVectors(dynamodb, engine));
  closers.push(async () => dynamodb.destroy());

  return {
    endpoints: {
      dynamodb: engine,
      streams: streams.url,
      s3: s3.url,
      sqs: sqs.url,
      secrets: secrets.url,
      userPool: userPool.url,
    },
    /** Endpoints for functions. They check the role of the calling function first. */
    functionEndpoints: { dynamodb: dynamodbProxy.url },
    dynamodb,
    /** Whether the engine has vector indexes. */
    vectors,
    streams: dynamo?.streams ?? createStreamReader(engine, known),
    s3,
    sqs,
    secrets,
    /** Starts the TTL deletions of these tables, every `ttlSweep` seconds, and the lifecycle rules. */
    startUpkeep(ttlSweep: number, expiring: readonly ExpiringTable[]): void {
      const failing = (what: string) => (error: unknown) => log.error(`${what}: ${String(error)}`);
      if (ttlSweep > 0) {
        const sweep = () => (dynamo ? dynamo.sweepTtl() : completeExpired(dynamodb, expiring));
        closers.push(repeat(ttlSweep, async () => void (await sweep()), failing("TTL sweep")));
      }
      closers.push(repeat(LIFECYCLE_EVERY, async () => void (await s3.applyLifecycle()), failing("lifecycle rules")));
    },
    close,
  };
}

/** Ends the engine together with this process, except after `kill -9`. Returns a function that undoes this. */
function endWithProcess(pid: () => number): () => Promise<void> {
  const end = () => {
    try {
      process.kill(pid(), "SIGTERM");
    } catch {
      // The engine has ended already.
    }
  };
  process.once("exit", end);
  return async () => void process.off("exit", end);
}

/**
 * Calls `run` repeatedly, `seconds` after the start and after the end of each call. The returned function stops this and waits for the
 * current call.
 */
function repeat(seconds: number, run: () => Promise<void>, failed: (error: unknown) => void): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function wait(): void {
    if (stopped) return;
    timer = setTimeout(() => {
      running = run()
        .catch((error: unknown) => {
          if (!stopped) failed(error);
        })
        .then(wait);
    }, seconds * 1000);
  }

  wait();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFunctions } from "../../infra/bundle.ts";
import { type FunctionSpec, functions } from "../../infra/functions.ts";
import { operations } from "../../shared/http/operations.ts";
import { type Engines, startEngines } from "../support/engines.ts";
import { printTable } from "./support/table.ts";

/** Starts of each function. The least counts: whatever else a machine does only adds to it. */
const RUNS = 7;

const MAX_BYTES = 1_000_000;
const MAX_RATIO = 3;

const STARTER = fileURLToPath(new URL("./support/cold-start.mjs", import.meta.url));

/**
 * A function's cold start as Lambda has it: Node starts, a runtime client loads the bundle, fetches an event from the
 * Runtime API and posts the answer; against a process of the same kind whose handler is empty. The runs of both take
 * turns.
 */
export async function run(): Promise<void> {
  const engines = await startEngines();
  const scratch = mkdtempSync(path.join(tmpdir(), "memocha-cold-"));
  try {
    await bundleFunctions(scratch);
    const empty = path.join(scratch, "empty", "index.mjs");
    mkdirSync(path.dirname(empty));
    writeFileSync(empty, "export const handler = async () => ({ statusCode: 200, body: '' });\n");
    const rows: (string | number)[][] = [];
    let worst = 0;
    for (const [name, spec] of Object.entries(functions) as [string, FunctionSpec][]) {
      const bundle = path.join(scratch, name, "index.mjs");
      const times = { own: [] as number[], empty: [] as number[] };
      for (let n = 0; n < RUNS; n++) {
        times.own.push(await start(bundle, eventFor(spec), engines));
        times.empty.push(await start(empty, {}, engines));
      }
      const ratio = Math.min(...times.own) / Math.min(...times.empty);
      const bytes = statSync(bundle).size;
      const beside = readdirSync(path.dirname(bundle))
        .filter((file) => file.endsWith(".mjs"))
        .reduce((sum, file) => sum + statSync(path.join(path.dirname(bundle), file)).size, -bytes);
      worst = Math.max(worst, ratio);
      const held = bytes <= MAX_BYTES && ratio <= MAX_RATIO ? "" : "over the bar";
      rows.push([
        name,
        bytes,
        beside || "",
        Math.round(Math.min(...times.own)),
        Math.round(Math.min(...times.empty)),
        ratio,
        held,
      ]);
    }
    printTable(
      `Cold starts (bars: ${MAX_BYTES / 1000} KB minified, ${MAX_RATIO} × an empty handler). What a start does not load, as the tables of
tokenizers, lies beside the bundle and is no part of the bars`,
      ["function", "bytes", "beside", "ms", "empty ms", "ratio", ""],
      rows,
    );
    process.stdout.write(`\nworst ratio ${worst.toFixed(2)}\n`);
  } finally {
    await engines.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Milliseconds from the start of the process to its answer. */
async function start(
  bundle: string,
  event: object,
  { endpoints, credentials, tableName, bucket }: Engines,
): Promise<number> {
  const { api, answered, close } = await startRuntimeApi(event);
  const began = performance.now();
  const child = spawn(process.execPath, [STARTER, bundle], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      AWS_LAMBDA_RUNTIME_API: api,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
      AWS_ENDPOINT_URL_S3: endpoints.s3,
      CONVERSATIONS_TABLE: tableName,
      ARCHIVE_BUCKET: bucket,
    },
  });
  const ended = once(child, "exit").then(([code]) => {
    if (code !== 0) throw new Error(`${bundle} ended with ${code}`);
  });
  const at = await Promise.race([answered, ended.then(() => answered)]);
  await ended;
  await close();
  return at - began;
}

/** Lambda's Runtime API with one event to give; `answered` is when its answer came. */
async function startRuntimeApi(event: object) {
  let answer: (at: number) => void = () => undefined;
  const answered = new Promise<number>((resolve) => {
    answer = resolve;
  });
  const server = createServer((request, response) => {
    if (request.method === "POST") answer(performance.now());
    request.resume();
    response.setHeader("lambda-runtime-aws-request-id", "cold").end(JSON.stringify(event));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise((resolve) => server.close(resolve));
  return { api: `127.0.0.1:${port}`, answered, close };
}

/** A first request that a function can answer: an HTTP request of a user, an empty batch, a tick. */
function eventFor({ trigger }: FunctionSpec): object {
  if (trigger.kind !== "http") return { Records: [], authorizationToken: "Bearer none", methodArn: "a/b/c" };
  const { method, path: route } = operations[trigger.operation];
  return {
    httpMethod: method,
    path: route.replace("{id}", "cold"),
    resource: route,
    headers: {},
    pathParameters: { id: "cold" },
    queryStringParameters: null,
    body: JSON.stringify({ role: "user", content: "hello" }),
    isBase64Encoded: false,
    requestContext: {
      requestId: "cold",
      authorizer: { sub: "cold", exp: String(Date.now()), groups: "admin", scope: "" },
    },
  };
}

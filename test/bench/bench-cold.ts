import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFunctions } from "../../infra/bundle/bundle-functions.ts";
import type { FunctionSpec } from "../../infra/function-spec.ts";
import { functions } from "../../infra/functions.ts";
import { issuerUrl, loadIssuerKey } from "../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../infra/local/issuer/sign-token.ts";
import { startIssuer } from "../../infra/local/issuer/start-issuer.ts";
import { startSecrets } from "../../infra/local/secrets.ts";
import { startEngines } from "../support/engines.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { createFirstEvents } from "./support/first-events.ts";
import { printTable } from "./support/print-table.ts";
import { startRuntimeApi } from "./support/runtime-api.ts";

/** Starts per function. Each is compared with a start of the empty handler right after it, because a machine's speed changes. */
const RUNS = 12;

const MAX_BYTES = 1_200_000;
const MAX_RATIO = 4;

const STARTER = fileURLToPath(new URL("./support/cold-start.mjs", import.meta.url));

/** The timeout of a function in seconds. */
const SECONDS = 29;

const LAKE_KEY = "lake-key";

/**
 * Measures cold starts as on Lambda: Node starts, a runtime client loads the bundle, gets an event from the Runtime API, and posts the
 * function's answer (or the beginning of a streamed answer). Compares them with those of an empty handler, in turns.
 */
export async function run(): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), "memocha-cold-"));
  const place = await open(scratch);
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
        times.own.push(await start(bundle, await place.eventFor(spec), place.environment));
        times.empty.push(await start(empty, {}, place.environment));
      }
      const ratio = median(times.own.map((own, n) => own / (times.empty[n] ?? own)));
      const bytes = statSync(bundle).size;
      worst = Math.max(worst, ratio);
      const held = bytes <= MAX_BYTES && ratio <= MAX_RATIO ? "" : "over the bar";
      rows.push([name, bytes, Math.round(median(times.own)), Math.round(median(times.empty)), ratio, held]);
    }
    printTable(
      `Cold starts (bars: ${MAX_BYTES / 1000} KB minified, ${MAX_RATIO} × an empty handler)`,
      ["function", "bytes", "ms", "empty ms", "ratio", ""],
      rows,
    );
    process.stdout.write(`\nworst ratio ${worst.toFixed(2)}\n`);
  } finally {
    await place.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** Starts the services that functions call. Returns the environment of functions, which names them. */
async function open(scratch: string) {
  const [engines, secrets, model, { issuer, ...issuing }] = await Promise.all([
    startEngines(),
    startSecrets(path.join(scratch, "secrets.json")),
    startFakeOpenAI(),
    loadIssuerKey(scratch).then((key) => startIssuer(scratch, key, console.warn)),
  ]);
  secrets.ensureSecret(LAKE_KEY);
  return {
    eventFor: await createFirstEvents(engines, await signToken(issuer, { user: "cold" })),
    environment: {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: engines.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: engines.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: engines.endpoints.dynamodb,
      AWS_ENDPOINT_URL_S3: engines.endpoints.s3,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      CONVERSATIONS_TABLE: engines.tableName,
      METRICS_TABLE: engines.metricsTable,
      ARCHIVE_BUCKET: engines.bucket,
      LAKE_KEY_SECRET: LAKE_KEY,
      CHAT_BASE_URL: model.url,
      OIDC_ISSUER: issuerUrl(issuer),
    },
    close: () => Promise.all([engines.close(), secrets.close(), model.close(), issuing.close()]),
  };
}

/** Returns the milliseconds from the start of the process to its answer. Throws when the process fails. */
async function start(bundle: string, event: object, environment: Record<string, string>): Promise<number> {
  const { api, answered, close } = await startRuntimeApi(event, SECONDS);
  const began = performance.now();
  const child = spawn(process.execPath, [STARTER, bundle], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...environment, AWS_LAMBDA_RUNTIME_API: api },
  });
  const [code] = await once(child, "exit");
  await close();
  if (code !== 0) throw new Error(`${bundle} ended with ${code}`);
  return (await answered) - began;
}

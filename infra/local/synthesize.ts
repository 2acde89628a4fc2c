import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lockDirectory } from "./dynamodb/lock-directory.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** Milliseconds to wait for another synthesis of the same checkout. */
const LOCK_TIMEOUT = 60_000;

/**
 * Bundles the functions and writes the cloud assembly into `directory`, as the CDK CLI would for `-c stage=dev`, without the CLI.
 * Throws an Error with what the app printed when it fails.
 */
export async function synthesize(directory: string, signal?: AbortSignal): Promise<void> {
  // Bundles go through one directory of the checkout: two hosts that start at once must not mix them.
  const lock = await waitForLock(signal);
  try {
    rmSync(directory, { recursive: true, force: true });
    await run(directory, signal);
  } finally {
    lock.release();
  }
}

async function waitForLock(signal: AbortSignal | undefined): Promise<{ release(): void }> {
  const deadline = Date.now() + LOCK_TIMEOUT;
  for (;;) {
    try {
      return lockDirectory(path.join(root, "node_modules/.cache/memocha-synthesis"));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(100, undefined, signal && { signal });
    }
  }
}

function run(directory: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, "infra/app.ts")], {
      cwd: root,
      env: {
        // biome-ignore lint/style/noProcessEnv: the CDK app is a program of the user's, not a function
        ...process.env,
        CDK_OUTDIR: path.resolve(directory),
        CDK_CONTEXT_JSON: JSON.stringify(context()),
        // Checking the templates takes seconds and changes nothing in them; `npm run synth` does it.
        CDK_VALIDATION: "false",
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal && { signal }),
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`synthesis failed (infra/app.ts ended with ${code}):\n${Buffer.concat(output)}`));
    });
  });
}

/** The context that the CDK CLI would give: that of cdk.json and cdk.context.json, and the stage. */
function context(): object {
  return { ...readJson("cdk.context.json"), ...readJson("cdk.json").context, stage: "dev" };
}

function readJson(file: string): { context?: object } {
  const full = path.join(root, file);
  return existsSync(full) ? (JSON.parse(readFileSync(full, "utf8")) as { context?: object }) : {};
}

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * Bundles the functions and writes the cloud assembly into `directory`, as the CDK CLI would for `-c stage=dev` and a `-c` for each of
 * the options, without the CLI.
 * Throws an Error with what the app printed when it fails.
 */
export async function synthesize(directory: string, options: object, signal?: AbortSignal): Promise<void> {
  // The app's temporary files go with it, even when it is killed.
  const temporary = `${path.resolve(directory)}.tmp`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    const CDK_CONTEXT_JSON = JSON.stringify({ ...context(), ...options });
    await run({ CDK_OUTDIR: path.resolve(directory), TMPDIR: temporary, CDK_CONTEXT_JSON }, signal);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function run(environment: Record<string, string>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, "infra/app.ts"), "--sources-on-disk"], {
      cwd: root,
      env: {
        // biome-ignore lint/style/noProcessEnv: the CDK app is a program of the user's, not a function
        ...process.env,
        ...environment,
        // Checking the templates takes seconds and changes nothing in them; `npm run synth` does it.
        CDK_VALIDATION: "false",
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal && { signal }),
    });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    let failure: Error | undefined;
    child.on("error", (error) => {
      failure = error;
      if (child.pid === undefined) reject(error);
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else
        reject(failure ?? new Error(`synthesis failed (infra/app.ts ended with ${code}):\n${Buffer.concat(output)}`));
    });
  });
}

/** The context that the CDK CLI would give: that of cdk.json and cdk.context.json, the constructs' paths, and the stage. */
function context(): object {
  const paths = { "aws:cdk:enable-path-metadata": true };
  return { ...paths, ...readJson("cdk.context.json"), ...readJson("cdk.json").context, stage: "dev" };
}

function readJson(file: string): { context?: object } {
  const full = path.join(root, file);
  return existsSync(full) ? (JSON.parse(readFileSync(full, "utf8")) as { context?: object }) : {};
}

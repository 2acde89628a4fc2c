import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

export interface CdkApp {
  /** Directory of cdk.json; the app runs there. */
  directory: string;
  /** The program and its arguments; Node runs it. */
  program: readonly string[];
  /** Context beside that of cdk.json, like `-c` of the CDK CLI. */
  context: Record<string, string>;
}

/**
 * Runs a CDK app as the CDK CLI would, and resolves with the directory of its cloud assembly.
 * Throws an Error with the output of the app when it fails.
 */
export async function synthesize(app: CdkApp, directory: string, signal?: AbortSignal): Promise<string> {
  // The app writes its temporary files here, so that they are deleted even if the app is killed.
  const temporary = `${path.resolve(directory)}.tmp`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    const CDK_CONTEXT_JSON = JSON.stringify({ ...contextFiles(app.directory), ...app.context });
    await run(app, { CDK_OUTDIR: path.resolve(directory), TMPDIR: temporary, CDK_CONTEXT_JSON }, signal);
    return directory;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function run(
  { program, directory }: CdkApp,
  environment: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, program, {
      cwd: directory,
      env: {
        // biome-ignore lint/style/noProcessEnv: the CDK app runs with the user's environment
        ...process.env,
        ...environment,
        // Skip validation: it takes seconds and does not change the templates.
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
        reject(failure ?? new Error(`synthesis failed (${program[0]} ended with ${code}):\n${Buffer.concat(output)}`));
    });
  });
}

/** The context that the CDK CLI reads, with construct paths in the template's metadata. */
function contextFiles(directory: string): object {
  const paths = { "aws:cdk:enable-path-metadata": true };
  const [saved, { context }] = [readJson(directory, "cdk.context.json"), readJson(directory, "cdk.json")];
  return { ...paths, ...saved, ...context };
}

function readJson(directory: string, name: string): { context?: object } {
  const file = path.join(directory, name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { context?: object }) : {};
}

import { writeFileSync } from "node:fs";
import { createLog, explainError, formatGrants, type Host } from "../../local/index.ts";
import { type CommandOptions, readOptions, USAGE } from "./options.ts";
import { startMemocha } from "./start-memocha.ts";

/** Milliseconds in which a repeated signal counts once: both the terminal and npm send Ctrl-C. */
const SAME_SIGNAL = 1_000;

// Lambda's clock is UTC, and worker threads use the time zone of this process.
// biome-ignore lint/style/noProcessEnv: the only way to set a process's time zone
process.env.TZ = "UTC";

const options = parse();
const log = createLog({ verbose: options.verbose, write: (line) => process.stdout.write(line) });
const began = performance.now();

const starting = new AbortController();
let host: Host | undefined;
let stopping: number | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(signal));
// Keep running when the reader of the output has gone.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

// An uncaught error is an error of the host: show its stack trace, unless the cause is known.
process.on("uncaughtException", (error) => {
  const { text, more } = explainError(error, options);
  log.error(text === error.message ? (more ?? text) : text, more);
  process.exit(1);
});

try {
  host = await startMemocha({ ...options, log, signal: starting.signal });
  if (stopping !== undefined) await end(host);
  else await greet(host);
} catch (error) {
  fail(error);
}

async function stop(signal: string): Promise<void> {
  if (stopping !== undefined) {
    if (performance.now() - stopping > SAME_SIGNAL) process.exit(130);
    return;
  }
  stopping = performance.now();
  log.info(`${signal}: finishing running requests; send it again to stop at once`);
  if (host) await end(host);
  else starting.abort();
}

async function end(running: Host): Promise<void> {
  await running.stop();
  if (options.grants !== undefined) writeFileSync(options.grants, formatGrants(running.grants()));
  log.info("stopped");
  process.exit(0);
}

async function greet({ url, token, issuesTokens }: Host): Promise<void> {
  const ready = `ready in ${((performance.now() - began) / 1000).toFixed(1)} s: ${url}`;
  if (!issuesTokens) {
    log.info(`${ready}\n\n  The template has no user pool: tokens come from the issuer that it names.\n`);
    return;
  }
  const user = await token({ user: "dev" });
  const admin = await token({ user: "admin", admin: true });
  log.info(
    `${ready}

  token of the user dev:
  ${user}

  token of an admin:
  ${admin}

  Try it:
  curl -s ${url}/v1/sessions -H 'content-type: application/json' -d '{"title":"Hello"}' \\
    -H 'authorization: Bearer ${user}'
`,
  );
}

function fail(error: unknown): never {
  if (stopping !== undefined) process.exit(0);
  const { text, more } = explainError(error, options);
  log.error(text, more);
  process.exit(1);
}

function parse(): CommandOptions {
  try {
    const { help, ...given } = readOptions(process.argv.slice(2));
    if (!help) return given;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

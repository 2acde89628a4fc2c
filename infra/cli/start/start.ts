import { writeFileSync } from "node:fs";
import { createLog, explainError, formatGrants, type Host, type Log } from "../../local/index.ts";
import { readInteger, runCommand, UsageError } from "../run-command.ts";
import { startMemocha } from "./start-memocha.ts";

const usage = `Runs Memocha on this machine.

  npm start -- [options]

  -c NAME=VALUE       an option of the deployment, as for cdk deploy; may be repeated: -c retention.archive=90d
  --port N            port of the API on 127.0.0.1; 0 = any free one (default 3000)
  --fresh             delete all data first; the key of the token issuer stays, so that earlier tokens stay valid
  --ttl-sweep N       delete expired items every N seconds; 0 = never (default 5)
  --schedule-every N  run all schedules every N seconds, in place of the times in their expressions
  --isolate           run one invocation at a time per worker, as on Lambda (at most 10 workers per function)
  --grants FILE       write the used and unused grants of the functions' roles to FILE when the host stops
  --verbose           also show the functions' logs, stack traces, ignored resources and the engines' messages

  Environment:
    OPENAI_API_KEY, OPENAI_BASE_URL, CHAT_MODEL
                       the language model; without a key and a URL, a built-in offline model answers
                       (docs/chat.md has all variables of the chat)
    CORS_ORIGINS       origins whose pages may call the API, like http://localhost:5173,https://chat.example.com, or *
    DYNAMODB_ENDPOINT  a DynamoDB that replaces the embedded one; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are its
                       credentials, if it needs any
`;

const options = {
  context: { type: "string", short: "c", multiple: true, default: [] as string[] },
  port: { type: "string", default: "3000" },
  fresh: { type: "boolean", default: false },
  "ttl-sweep": { type: "string", default: "5" },
  "schedule-every": { type: "string" },
  isolate: { type: "boolean", default: false },
  grants: { type: "string" },
  verbose: { type: "boolean", default: false },
} as const;

/** Milliseconds in which a repeated signal counts once: both the terminal and npm send Ctrl-C. */
const SAME_SIGNAL = 1_000;

// Lambda's clock is UTC, and worker threads use the time zone of this process.
// biome-ignore lint/style/noProcessEnv: the only way to set a process's time zone
process.env.TZ = "UTC";

await runCommand({ name: "start", usage, options }, async ({ data, fresh, isolate, grants, verbose, ...values }) => {
  const context = readContext(values.context);
  const port = readInteger(values.port, "--port", 0, 65_535) ?? 0;
  const ttlSweep = readInteger(values["ttl-sweep"], "--ttl-sweep", 0, 86_400) ?? 0;
  const scheduleEvery = readInteger(values["schedule-every"], "--schedule-every", 1, 86_400);
  const log = createLog({ verbose, write: (line) => process.stdout.write(line) });
  const starting = new AbortController();
  let host: Host | undefined;
  let stopping: number | undefined;

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
    if (grants !== undefined) writeFileSync(grants, formatGrants(running.grants()));
    log.info("stopped");
    process.exit(0);
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(signal));
  // Keep running when the reader of the output has gone.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  // An uncaught error is an error of the host: show its stack trace, unless the cause is known.
  process.on("uncaughtException", (error) => {
    const { text, more } = explainError(error, { port, data });
    log.error(text === error.message ? (more ?? text) : text, more);
    process.exit(1);
  });

  try {
    const { signal } = starting;
    host = await startMemocha({ port, data, fresh, ttlSweep, scheduleEvery, isolate, log, signal }, context);
    if (stopping !== undefined) await end(host);
    await greet(host, log);
  } catch (error) {
    if (stopping !== undefined) process.exit(0);
    const { text, more } = explainError(error, { port, data });
    log.error(text, more);
    process.exit(1);
  }
  return 0;
});

/** Reads options such as `retention.archive=90d`. */
function readContext(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const at = option.indexOf("=");
      if (at < 1) throw new UsageError(`-c takes NAME=VALUE, such as -c retention.archive=90d, not "${option}"`);
      return [option.slice(0, at), option.slice(at + 1)];
    }),
  );
}

async function greet({ url, token, issuesTokens }: Host, log: Log): Promise<void> {
  const ready = `ready in ${(performance.now() / 1000).toFixed(1)} s: ${url}`;
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

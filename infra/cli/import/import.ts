import { MAX_TTL_SECONDS } from "../../../shared/session/schema.ts";
import { failUsage, readInteger, runCommand, UsageError } from "../run-command.ts";
import { checkUser } from "./choose-user.ts";
import { findTarget } from "./find-target.ts";
import { formats } from "./formats/formats.ts";
import { DEFAULT_CONCURRENCY, importFiles } from "./import-files.ts";
import { createProgressReport } from "./progress-report.ts";
import { openInputs } from "./read/open-inputs.ts";
import { formatSummary, isComplete, type Problem } from "./summary.ts";

const usage = `Imports conversations into Memocha. Run it again after an interruption: it continues, and stores nothing twice.

  npm run import -- FILE... [--dry-run] [--user NAME | --user-field FIELD] [--ttl-seconds N] [--concurrency N] [--json]
  npm run import -- --table NAME ...

  FILE                a file, a directory or a zip archive. The command detects the format from the content:
${formats.map(({ name }) => `                        ${name}`).join("\n")}
                      docs/import.md describes them. Files may be compressed with gzip.
                      A session id that the API does not accept is replaced by its hash, a UUID; the session's metadata
                      then has the original id as source_id.
  --table NAME        read a DynamoDB table of LangChain's DynamoDBChatMessageHistory; the region, the credentials and the
                      endpoint come from the environment (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB)
  --dry-run           send nothing; print what would be imported and what would be left out
  --url URL           the URL of the API (default: the running local host, or http://127.0.0.1:3000)
  --token JWT         the token (default: MEMOCHA_TOKEN, or a new token for the running local host)
  --user NAME         import all sessions for this user; the token must be the user's, or have the scope act-as
  --user-field FIELD  the field of each record that names its user, such as "user"; needs the scope act-as
                      Without --user and --user-field, the sessions belong to the token's user.
  --ttl-seconds N     seconds without activity after which the sessions are archived; 0 = never (default: the server's)
  --concurrency N     number of sessions to send at the same time, 1 to 256 (default ${DEFAULT_CONCURRENCY})
  --json              print the summary as JSON
`;

const options = {
  url: { type: "string" },
  token: { type: "string" },
  user: { type: "string" },
  "user-field": { type: "string" },
  "ttl-seconds": { type: "string" },
  concurrency: { type: "string" },
  table: { type: "string" },
  "dry-run": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

const INTERRUPTED = 130;
const exitCodes =
  "0 = everything is imported, 1 = some records are not imported, or the import ended early, 2 = wrong usage, 130 = stopped by Ctrl-C";

/** Milliseconds in which a second signal repeats the first: for one Ctrl-C, the terminal signals this process, and npm forwards its own. */
const REPEATED_SIGNAL = 1000;

await runCommand({ name: "import", usage, exitCodes, options, allowPositionals: true }, async (values, files) => {
  const { url, user, "user-field": userField, json, data, table, "dry-run": dryRun } = values;
  if (files.length === 0 && table === undefined)
    throw new UsageError("no file to import is given: name a FILE, or a table with --table");
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new UsageError(`--url must be an http or https URL, not "${url}"`);
  }
  if (user !== undefined && userField !== undefined)
    throw new UsageError("--user and --user-field cannot be used together");
  const problem = user === undefined ? undefined : checkUser(user);
  if (problem) throw new UsageError(`--user ${problem}`);
  if (userField === "") throw new UsageError("--user-field must be the name of a field");
  const ttlSeconds = readInteger(values["ttl-seconds"], "--ttl-seconds", 0, MAX_TTL_SECONDS);
  const concurrency = readInteger(values.concurrency, "--concurrency", 1, 256);
  (await openInputs(files).catch(failUsage)).close();
  // biome-ignore lint/style/noProcessEnv: a token on the command line would be visible to every user of the machine.
  const token = values.token ?? process.env.MEMOCHA_TOKEN;
  const target = dryRun ? { url: "", token: "" } : await findTarget({ url, user, data, token }).catch(failUsage);

  const report = createProgressReport(process.stderr);
  const stop = stopOnSignals((text) => report.line(text));
  try {
    const summary = await importFiles({
      ...target,
      files,
      table,
      dryRun,
      userField,
      ttlSeconds,
      concurrency,
      signal: stop.signal,
      onProgress: report.update,
      onProblem: (problem) => report.line(formatProblem(problem)),
    });
    report.end();
    process.stdout.write(`${json ? JSON.stringify(summary) : formatSummary(summary, dryRun)}\n`);
    if (stop.signal.aborted) return INTERRUPTED;
    return isComplete(summary) ? 0 : 1;
  } finally {
    report.end();
    stop.forget();
  }
});

function formatProblem({ kind, file, place, id, reason }: Problem): string {
  return `${kind === "bad" ? "skipped" : "failed"}: ${file}, ${place}${id === undefined ? "" : `, ${id}`}: ${reason}`;
}

/** Aborts the signal at the first Ctrl-C, so that requests under way are finished. Exits at the second. */
function stopOnSignals(print: (text: string) => void): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  let first = 0;
  const stop = (): void => {
    if (controller.signal.aborted) {
      if (performance.now() - first > REPEATED_SIGNAL) process.exit(INTERRUPTED);
      return;
    }
    first = performance.now();
    print(
      "Stopping after the requests under way. Run the same command again to continue; press Ctrl-C again to stop now.",
    );
    controller.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const forget = (): void => void process.off("SIGINT", stop).off("SIGTERM", stop);
  return { signal: controller.signal, forget };
}

import { parseArgs } from "node:util";
import { MAX_TTL_SECONDS } from "../../../shared/session/schema.ts";
import { asUsageError, runCommand, UsageError } from "../run-command.ts";
import { checkUser } from "./choose-user.ts";
import { findTarget } from "./find-target.ts";
import { formatSummary } from "./format-summary.ts";
import { DEFAULT_CONCURRENCY, importFiles } from "./import-files.ts";
import { createProgressReport } from "./progress-report.ts";
import { findFiles } from "./read/find-files.ts";
import { isComplete, type Problem } from "./summary.ts";

const USAGE = `Imports conversations into Memocha. Run twice, it imports nothing twice; interrupted, it resumes.

  npm run import -- FILE... [--user NAME | --user-field FIELD] [--ttl-seconds N] [--concurrency N] [--json]

  FILE                JSON Lines, one conversation a line:
                        {"session", "title"?, "user"?, "started_at"?,
                         "messages": [{"role", "content" | "text", "name"?, "created_at" | "ts"?, "metadata"?}]}
                      or a ChatGPT export: conversations.json, its parts, or the directory they are in.
                      Either may be packed with gzip. Of which kind a file is, its content says.
                      An id that the API does not take is replaced by a hash of it, a UUID; the session's metadata
                      then has the old one as source_id.
  --url URL           where the API is (default: the local host, or http://127.0.0.1:3000)
  --token JWT         the token; else MEMOCHA_TOKEN; else one that is made for the running local host
  --user NAME         import everything for this user (the token must be theirs, or have the scope act-as)
  --user-field FIELD  the field of each record that names its user, such as "user" (scope act-as)
                      Without either, the sessions belong to the token's own user.
  --ttl-seconds N     seconds of idleness after which the sessions are archived; 0 = never (default: the server's)
  --concurrency N     sessions sent at once, 1 to 256 (default ${DEFAULT_CONCURRENCY})
  --json              print the summary as JSON
  --data DIR          the local host's data directory (default .memocha)
  --help

Exit code: 0 = everything is imported, 1 = some records are not, or the import ended early, 2 = wrong usage,
130 = stopped by Ctrl-C.
`;

const INTERRUPTED = 130;

/** Milliseconds in which a second signal is the first one again: the terminal sends Ctrl-C here, and npm passes it on. */
const ECHO = 1000;

await runCommand("import", main);

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  await findFiles(options.files).catch(asUsageError);
  // biome-ignore lint/style/noProcessEnv: a token on the command line is seen by everybody on the machine.
  const given = options.token ?? process.env.MEMOCHA_TOKEN;
  const target = await findTarget({ ...options, token: given }).catch(asUsageError);
  const report = createProgressReport(process.stderr);
  const stop = stopOnSignals((text) => report.line(text));
  try {
    const summary = await importFiles({
      ...options,
      ...target,
      user: target.user,
      signal: stop.signal,
      onProgress: report.update,
      onProblem: (problem) => report.line(formatProblem(problem)),
    });
    report.end();
    process.stdout.write(`${options.json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
    if (stop.signal.aborted) return INTERRUPTED;
    return isComplete(summary) ? 0 : 1;
  } finally {
    report.end();
    stop.forget();
  }
}

function formatProblem({ kind, file, place, id, reason }: Problem): string {
  return `${kind === "bad" ? "skipped" : "failed"}: ${file}, ${place}${id === undefined ? "" : `, ${id}`}: ${reason}`;
}

/** The first Ctrl-C ends the import cleanly, the second at once. */
function stopOnSignals(say: (text: string) => void): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  let first = 0;
  const stop = (): void => {
    if (controller.signal.aborted) {
      if (performance.now() - first > ECHO) process.exit(INTERRUPTED);
      return;
    }
    first = performance.now();
    say(
      "Stopping: what is under way is finished first. Run the same command again to go on; Ctrl-C again stops at once.",
    );
    controller.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const forget = (): void => void process.off("SIGINT", stop).off("SIGTERM", stop);
  return { signal: controller.signal, forget };
}

interface Options {
  files: string[];
  url: string | undefined;
  token: string | undefined;
  user: string | undefined;
  userField: string | undefined;
  ttlSeconds: number | undefined;
  concurrency: number | undefined;
  json: boolean;
  data: string;
}

/** @throws UsageError saying which option is wrong, and why. */
function readOptions(args: string[]): Options | "help" {
  const { values, positionals } = parse(args);
  if (values.help) return "help";
  if (positionals.length === 0) throw new UsageError("no file to import is given");
  const { url, token, user, "user-field": userField, json, data } = values;
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new UsageError(`--url must be an http or https URL, not "${url}"`);
  }
  if (user !== undefined && userField !== undefined) throw new UsageError("--user and --user-field exclude each other");
  const fault = user === undefined ? undefined : checkUser(user);
  if (fault) throw new UsageError(`--user ${fault}`);
  if (userField === "") throw new UsageError("--user-field must name a field");
  return {
    files: positionals,
    url,
    token,
    user,
    userField,
    ttlSeconds: readInteger(values["ttl-seconds"], "--ttl-seconds", 0, MAX_TTL_SECONDS),
    concurrency: readInteger(values.concurrency, "--concurrency", 1, 256),
    json,
    data,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        url: { type: "string" },
        token: { type: "string" },
        user: { type: "string" },
        "user-field": { type: "string" },
        "ttl-seconds": { type: "string" },
        concurrency: { type: "string" },
        json: { type: "boolean", default: false },
        data: { type: "string", default: ".memocha" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return asUsageError(error);
  }
}

function readInteger(text: string | undefined, option: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not "${text}"`);
}

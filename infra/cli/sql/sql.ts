import { readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { namedQueries } from "../../stacks/named-queries.ts";
import { asUsageError, runCommand, UsageError } from "../run-command.ts";
import { format, type OutputFormat } from "./format-result.ts";
import { createLakeCopy } from "./lake-copy.ts";
import { openLakeDatabase } from "./lake-database.ts";
import { findLake } from "./place.ts";
import { prompt } from "./prompt.ts";

const USAGE = `Queries the lake of the local host with DuckDB, by the names that its tables have in Athena.

  npm run sql -- "select ..."      runs SQL and prints the result of each statement
  npm run sql                      a prompt with history; statements end with ;

  --named NAME    a query of infra/stacks/queries, those that Athena has too; --list names them
  --param VALUE   a value for each ? of the query, in order; may be repeated
  --file FILE     SQL from a file; - = standard input
  --json, --csv   print rows as JSON, one a line, or as CSV (default: an aligned table)
  --data DIR      the local host's data directory (default .memocha)
  --list          name the named queries
  --help

Tables: messages, session_summaries (built every hour), events, aggregates (once a day), archive_lines (the archive as it is) and
messages_all (messages, and what the archive has beyond them). Their columns and ten worked questions
are in docs/analysts.md.

Exit code: 0 = done, 1 = something went wrong, 2 = wrong usage.
`;

// Whoever reads has had enough: `| head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

await runCommand("sql", main);

async function main(args: string[]): Promise<number> {
  const { values, positionals } = readOptions(args);
  if (values.help) return say(USAGE);
  if (values.list)
    return say(
      namedQueries()
        .map(({ name, description }) => `${name.padEnd(22)}${description}\n`)
        .join(""),
    );
  const output: OutputFormat = values.json ? "json" : values.csv ? "csv" : "table";
  const sql = textOf(values, positionals);

  const { s3, bucket } = findLake(values.data);
  const database = await openLakeDatabase(createLakeCopy(s3, bucket, path.join(values.data, "sql")));
  try {
    const run = async (text: string, parameters: readonly string[], write: (text: string) => void) => {
      let first = true;
      for await (const result of database.query(text, parameters)) {
        write(`${first || output !== "table" ? "" : "\n"}${format(result, output)}`);
        first = false;
      }
    };
    if (sql !== undefined) {
      await run(sql, values.param, say);
      return 0;
    }
    const { stdin: input, stdout, stderr: errors } = process;
    const terminal = { input, output: stdout, errors, interactive: input.isTTY && stdout.isTTY };
    const failed = await prompt((text, write) => run(text, [], write), path.join(values.data, "sql-history"), terminal);
    return terminal.interactive || failed === 0 ? 0 : 1;
  } finally {
    database.close();
    s3.destroy();
  }
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** The SQL that was asked for; `undefined` = none, so there is a prompt. */
function textOf({ named, file }: { named?: string; file?: string }, positionals: string[]): string | undefined {
  if ([named, file, positionals[0]].filter((source) => source !== undefined).length > 1 || positionals.length > 1) {
    throw new UsageError("give one query: as an argument in quotes, with --file, or with --named");
  }
  if (file !== undefined) return readFileSync(file === "-" ? 0 : file, "utf8");
  if (named === undefined) return positionals[0];
  const queries = namedQueries();
  const query = queries.find(({ name }) => name === named);
  if (!query)
    throw new UsageError(`no query is named "${named}"; there are ${queries.map(({ name }) => name).join(", ")}`);
  return query.sql;
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        named: { type: "string" },
        param: { type: "string", multiple: true, default: [] },
        file: { type: "string" },
        json: { type: "boolean", default: false },
        csv: { type: "boolean", default: false },
        data: { type: "string", default: ".memocha" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return asUsageError(error);
  }
}

import { readFileSync } from "node:fs";
import path from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import type { LakeContent } from "../../../shared/lake/lake-content.ts";
import { engineClient } from "../../local/index.ts";
import { namedQueries } from "../../stacks/named-queries.ts";
import { alignColumns } from "../align-columns.ts";
import { findHost } from "../find-host.ts";
import { runCommand, UsageError } from "../run-command.ts";
import { formatResult, type OutputFormat } from "./format-result.ts";
import { createLakeCopy } from "./lake-copy.ts";
import { openLakeDatabase } from "./lake-database.ts";
import { prompt } from "./prompt.ts";

const usage = `Queries the lake of the local host with DuckDB. Tables have the names that they have in Athena.

  npm run sql -- "select ..."      run SQL and print the result of each statement
  npm run sql                      open a prompt with history; statements end with ;

  --named NAME    run a named query, which Athena has too; --list shows them
  --param VALUE   a value for the next ? of the query; may be repeated
  --file FILE     run SQL from a file; - is standard input
  --json, --csv   print rows as JSON, one per line, or as CSV (default: an aligned table)
  --list          list the named queries

Tables: messages, session_summaries (built every hour), events, audit, aggregates (built once a day), archive_lines (the
lines of the archive) and messages_all (messages, and those messages of the archive that the lake does not have yet).
docs/analysts.md has their columns and ten questions with their queries.
`;

const options = {
  named: { type: "string" },
  param: { type: "string", multiple: true },
  file: { type: "string" },
  json: { type: "boolean", default: false },
  csv: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
} as const;

// The reader of a pipe may close it early, as `| head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

await runCommand({ name: "sql", usage, options, allowPositionals: true }, async (values, positionals) => {
  if (values.list) {
    const rows = namedQueries().map(({ name, description }) => [name, description]);
    print(`${alignColumns(rows, []).join("\n")}\n`);
    return 0;
  }
  const output: OutputFormat = values.json ? "json" : values.csv ? "csv" : "table";
  const sql = readQuery(values, positionals);

  const { endpoints, outputs } = findHost(values.data, ["ArchiveBucketName", "LakeContent"]);
  const s3 = new S3Client({ ...engineClient(endpoints.s3), forcePathStyle: true });
  const copy = createLakeCopy(s3, outputs.ArchiveBucketName, path.join(values.data, "sql"));
  const database = await openLakeDatabase(copy, outputs.LakeContent as LakeContent);
  try {
    const run = async (text: string, parameters: readonly string[], write: (text: string) => void) => {
      let separator = "";
      for await (const result of database.query(text, parameters)) {
        write(separator + formatResult(result, output));
        if (output === "table") separator = "\n";
      }
    };
    if (sql !== undefined) {
      await run(sql, values.param ?? [], print);
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
});

function print(text: string): void {
  process.stdout.write(text);
}

/** The SQL to run; undefined when the user wants a prompt. */
function readQuery(
  { named, file }: { named?: string | undefined; file?: string | undefined },
  positionals: string[],
): string | undefined {
  if ([named, file, positionals[0]].filter((source) => source !== undefined).length > 1 || positionals.length > 1) {
    throw new UsageError("Give one query: as an argument in quotes, with --file, or with --named.");
  }
  if (file !== undefined) return readFileSync(file === "-" ? 0 : file, "utf8");
  if (named === undefined) return positionals[0];
  const queries = namedQueries();
  const query = queries.find(({ name }) => name === named);
  if (query) return query.sql;
  const names = queries.map(({ name }) => name).join(", ");
  throw new UsageError(`There is no query named "${named}". The names are ${names}.`);
}

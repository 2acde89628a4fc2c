import { type DuckDBConnection, DuckDBInstance, ResultReturnType } from "@duckdb/node-api";
import accessors from "@duckdb/node-api/lib/vectors/dataAccessors.js";
import { counted } from "../../../shared/counted.ts";
import type { LakeContent } from "../../../shared/lake/lake-content.ts";
import { type ColumnType, type TableName, tableNames, tables } from "../../../shared/lake/tables.ts";
import { archiveLines, messagesAll } from "../../stacks/messages-all.ts";
import type { LakeCopy } from "./lake-copy.ts";

// The decoder in DuckDB's package drops a U+FEFF at the beginning of a text.
Object.assign(accessors, { textDecoder: new TextDecoder("utf-8", { ignoreBOM: true }) });

export interface Result {
  columns: string[];
  rows: unknown[][];
}

/** Opens DuckDB with the lake's tables and views, which have the same names as in Athena. */
export async function openLakeDatabase(copy: LakeCopy, content: LakeContent = "full") {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("set timezone = 'UTC'");
  const definitions = new Map<string, string>();
  /** Creates a view unless its definition is the same, because DuckDB opens all files of a view that it creates. */
  const define = async (name: string, definition: string) => {
    if (definitions.get(name) === definition) return;
    await connection.run(`create or replace view ${name} as ${definition}`);
    definitions.set(name, definition);
  };
  for (const table of tableNames) await define(table, parquetView(table, []));
  await define("archive_lines", rawView([]));
  await define("messages_all", messagesAll(content));

  return {
    /**
     * Runs statements on the current lake. Yields the rows of each statement that has rows, as soon as it has run. Throws DuckDB's Error
     * when a statement is wrong.
     */
    async *query(sql: string, parameters: readonly string[] = []): AsyncGenerator<Result> {
      const needed = tablesIn(sql);
      for (const table of tableNames) {
        if (needed.has(table)) await define(table, parquetView(table, await copy.refresh(`lake/${table}/`)));
      }
      if (needed.has("archive_lines")) await define("archive_lines", rawView(await copy.refresh("archive/")));
      yield* run(connection, sql, parameters);
    },
    close(): void {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** The tables that SQL may read: every word in it that is the name of a table, even in a comment. */
function tablesIn(sql: string): Set<string> {
  const words = new Set(sql.toLowerCase().match(/[a-z_]+/g));
  return words.has("messages_all") ? words.union(new Set(["messages", "session_summaries", "archive_lines"])) : words;
}

const duckTypes: Record<ColumnType, string> = {
  string: "VARCHAR",
  int: "INTEGER",
  double: "DOUBLE",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP",
};

function parquetView(table: TableName, files: readonly string[]): string {
  if (files.length > 0) {
    return `select * replace (cast(dt as varchar) as dt)
      from read_parquet(${listOf(files)}, hive_partitioning = true, hive_types_autocast = false,
        union_by_name = true)`;
  }
  const columns = tables[table].columns.map(({ name, type }) => `cast(null as ${duckTypes[type]}) as ${name}`);
  return `select ${columns.join(", ")}, cast(null as varchar) as dt where false`;
}

function rawView(files: readonly string[]): string {
  const columns = archiveLines.map(({ name, type }) => ({ name, type: duckType(type) }));
  if (files.length > 0) {
    const types = columns.map(({ name, type }) => `${quoted(name)}: ${quoted(type)}`);
    return `select * from read_json(${listOf(files)}, format = 'newline_delimited',
      compression = 'gzip', hive_partitioning = true, hive_types_autocast = false, columns = {${types.join(", ")}})`;
  }
  const empty = columns.map(({ name, type }) => `cast(null as ${type}) as ${name}`);
  return `select ${empty.join(", ")}, cast(null as varchar) as dt where false`;
}

/** The type in DuckDB for a type in the Glue catalog. */
function duckType(type: string): string {
  const struct = /^struct<(.*)>$/.exec(type)?.[1];
  if (struct) return `STRUCT(${struct.replaceAll(":", " ")})`;
  return type === "string" ? "VARCHAR" : type;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const listOf = (files: readonly string[]): string => `[${files.map(quoted).join(", ")}]`;

async function* run(connection: DuckDBConnection, sql: string, parameters: readonly string[]): AsyncGenerator<Result> {
  const statements = await connection.extractStatements(sql);
  for (let n = 0; n < statements.count; n++) {
    const prepared = await statements.prepare(n);
    if (prepared.parameterCount !== parameters.length && prepared.parameterCount > 0) {
      throw new Error(
        `The query has ${counted(prepared.parameterCount, "parameter")}, but --param was given ${parameters.length} times.`,
      );
    }
    for (let each = 0; each < prepared.parameterCount; each++) prepared.bindVarchar(each + 1, parameters[each] ?? "");
    const reader = await prepared.runAndReadAll();
    if (reader.returnType !== ResultReturnType.QUERY_RESULT) continue;
    const numeric = reader.columnTypes().map((type) => /^(HUGEINT|BIGINT|U?BIGINT|DECIMAL)/.test(type.toString()));
    const rows = reader.getRowsJson().map((row) => row.map((value, c) => (numeric[c] ? toNumber(value) : value)));
    yield { columns: reader.columnNames(), rows };
  }
}

/** DuckDB returns large numbers as text. Converts those that JavaScript can represent. */
function toNumber(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const number = Number(value);
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? value : number;
}

import { zstdCompressSync } from "node:zlib";
import { ByteWriter, type ColumnSource, ParquetWriter } from "hyparquet-writer";
import { type Column, type ColumnType, type Row, type TableName, tables } from "./tables.ts";

/** Maximum rows of a row group. A reader reads or skips a row group as a whole, and the writer holds one in memory. */
const GROUP_ROWS = 20_000;

/** Maximum characters of text in a row group. */
const GROUP_CHARS = 8 * 1024 * 1024;

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];

interface ParquetFile<T extends TableName> {
  /** Adds a row. */
  add(row: Row<T>): Promise<void>;
  /** Writes the last rows and the footer. */
  finish(): Promise<void>;
}

/** Writes rows of a table as Parquet to `emit`, one row group at a time. Pages are compressed with ZSTD. */
export function createParquetFile<T extends TableName>(
  table: T,
  emit: (bytes: Uint8Array) => Promise<void>,
): ParquetFile<T> {
  const columns: readonly Column[] = tables[table].columns;
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [{ name: "root", num_children: columns.length }, ...columns.map(elementOf)],
    codec: "ZSTD",
    compressors: { ZSTD: (page) => zstdCompressSync(page) },
    // Do not cut ids of 32 digits in the statistics, because readers compare whole ids with them.
    statisticsTruncateLength: 64,
    createdBy: "memocha",
  });
  let rows: Record<string, unknown>[] = [];
  let chars = 0;

  const flush = async () => {
    const chunk = bytes.getBytes().slice();
    bytes.index = 0;
    await emit(chunk);
  };

  const writeGroup = async () => {
    await writer.write({ columnData: columns.map((column) => sourceOf(column, rows)), rowGroupSize: GROUP_ROWS });
    rows = [];
    chars = 0;
    await flush();
  };

  return {
    async add(row) {
      rows.push(row);
      chars += charsOf(row);
      if (rows.length >= GROUP_ROWS || chars >= GROUP_CHARS) await writeGroup();
    },
    async finish() {
      if (rows.length > 0) await writeGroup();
      await writer.finish();
      await flush();
    },
  };
}

function charsOf(row: object): number {
  let chars = 0;
  for (const value of Object.values(row)) if (typeof value === "string") chars += value.length;
  return chars;
}

function sourceOf({ name, type, lookup }: Column, rows: readonly Record<string, unknown>[]): ColumnSource {
  return {
    name,
    data: rows.map((row) => (type === "timestamp" && row[name] !== null ? BigInt(row[name] as number) : row[name])),
    ...(lookup ? { bloomFilter: true } : {}),
  };
}

const physical: Record<ColumnType, Omit<SchemaElement, "name">> = {
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT32" },
  double: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
  // Without "adjusted to UTC", Athena and DuckDB read a plain timestamp that does not depend on their time zone.
  timestamp: { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MILLIS" } },
};

const elementOf = ({ name, type }: Column): SchemaElement => ({ name, repetition_type: "OPTIONAL", ...physical[type] });

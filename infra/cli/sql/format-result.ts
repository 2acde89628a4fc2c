import { counted } from "../../../shared/counted.ts";
import { alignColumns, columnWidths } from "../align-columns.ts";
import type { Result } from "./lake-database.ts";

export type OutputFormat = "table" | "json" | "csv";

/** Characters of a cell that a table shows. */
const MAX_CELL = 60;

/** Formats a result as text that ends with a newline; empty for a statement that has no rows. */
export function formatResult({ columns, rows }: Result, output: OutputFormat): string {
  if (columns.length === 0) return "";
  if (output === "json") {
    return rows
      .map((row) => `${JSON.stringify(Object.fromEntries(columns.map((name, n) => [name, row[n]])))}\n`)
      .join("");
  }
  if (output === "csv") return [columns, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
  return formatTable(columns, rows);
}

/** Aligns numbers to the right, other values to the left. */
function formatTable(columns: readonly string[], rows: readonly unknown[][]): string {
  const cells = [columns, ...rows].map((row) => row.map(tableCell));
  const numeric = columns.flatMap((_, n) => (rows.length > 0 && rows.every((row) => isNumeric(row[n])) ? [n] : []));
  const rule = columnWidths(cells).map((width) => "-".repeat(width));
  const [head = "", ...body] = alignColumns(cells, numeric);
  return `${[head, rule.join("  "), ...body].join("\n")}\n(${counted(rows.length, "row")})\n`;
}

const isNumeric = (value: unknown): boolean => value === null || typeof value === "number";

function tableCell(value: unknown): string {
  const text = textOf(value).replaceAll(/\s+/g, " ");
  return text.length > MAX_CELL ? `${[...text].slice(0, MAX_CELL - 1).join("")}…` : text;
}

/** RFC 4180. */
function csvCell(value: unknown): string {
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

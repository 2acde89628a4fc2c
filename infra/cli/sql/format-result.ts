import { counted } from "../../../shared/counted.ts";
import type { Result } from "./lake-database.ts";

export type OutputFormat = "table" | "json" | "csv";

/** Characters of a cell that a table shows. */
const WIDEST = 60;

/** A result as text that ends with a newline. */
export function format({ columns, rows }: Result, output: OutputFormat): string {
  if (columns.length === 0) return "";
  if (output === "json") {
    return rows
      .map((row) => `${JSON.stringify(Object.fromEntries(columns.map((name, n) => [name, row[n]])))}\n`)
      .join("");
  }
  if (output === "csv") return [columns, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
  return tableOf(columns, rows);
}

/** Numbers to the right, the rest to the left. */
function tableOf(columns: readonly string[], rows: readonly unknown[][]): string {
  const cells = [columns, ...rows].map((row) => row.map(tableCell));
  const widths = columns.map((_, n) => Math.max(...cells.map((row) => widthOf(row[n] ?? ""))));
  const numeric = columns.map((_, n) => rows.length > 0 && rows.every((row) => isNumeric(row[n])));
  const lines = cells.map((row) =>
    row
      .map((cell, n) => {
        const blank = " ".repeat((widths[n] ?? 0) - widthOf(cell));
        return numeric[n] ? blank + cell : cell + blank;
      })
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  const [head = "", ...body] = lines;
  return `${[head, rule, ...body].join("\n")}\n(${counted(rows.length, "row")})\n`;
}

const isNumeric = (value: unknown): boolean => value === null || typeof value === "number";

function tableCell(value: unknown): string {
  const text = textOf(value).replaceAll(/\s+/g, " ");
  return text.length > WIDEST ? `${[...text].slice(0, WIDEST - 1).join("")}…` : text;
}

/** Columns of a terminal: Chinese, Japanese, Korean and emoji take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += /\p{Mark}/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u;

/** RFC 4180. */
function csvCell(value: unknown): string {
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

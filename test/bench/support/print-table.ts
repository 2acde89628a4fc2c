/** Prints rows as an aligned table: the first column to the left, others to the right. */
export function printTable(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const cells = [columns, ...rows.map((row) => row.map((cell) => (typeof cell === "number" ? format(cell) : cell)))];
  const widths = columns.map((_, n) => Math.max(...cells.map((row) => (row[n] ?? "").length)));
  const line = (row: readonly string[]) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join("  ");
  const [head = [], ...body] = cells;
  process.stdout.write(`\n${title}\n\n${line(head)}\n${widths.map((width) => "-".repeat(width)).join("  ")}\n`);
  for (const row of body) process.stdout.write(`${line(row)}\n`);
}

export const format = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });

export const mebibytes = (bytes: number): string => `${format(bytes / 1024 / 1024)} MiB`;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

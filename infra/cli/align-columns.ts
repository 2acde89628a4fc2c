import stringWidth from "string-width";

/** Aligns the columns of a table, two spaces between them. `right`: the indexes of the columns that are aligned to the right. */
export function alignColumns(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = columnWidths(rows);
  return rows.map((row) =>
    row
      .map((cell, n) => {
        const blank = " ".repeat((widths[n] ?? 0) - stringWidth(cell));
        return right.includes(n) ? blank + cell : cell + blank;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** The width of each column in terminal columns. Chinese, Japanese, Korean and emoji characters take two. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const count = Math.max(0, ...rows.map(({ length }) => length));
  return Array.from({ length: count }, (_, n) =>
    rows.reduce((max, row) => Math.max(max, stringWidth(row[n] ?? "")), 0),
  );
}

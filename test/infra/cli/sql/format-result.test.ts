import { describe, expect, it } from "vitest";
import { formatResult } from "../../../../infra/cli/sql/format-result.ts";

const result = {
  columns: ["name", "n", "note"],
  rows: [
    ["ann", 5, null],
    ["Ирина 你好", 12_345, 'said "yes", twice'],
    ["x".repeat(70), null, "two\nlines"],
  ],
};

describe("a result", () => {
  it("is an aligned table with numbers to the right, and each cell in one line", () => {
    expect(formatResult(result, "table").split("\n")).toEqual([
      `name${" ".repeat(56)}      n  note`,
      `${"-".repeat(60)}  -----  -----------------`,
      `ann${" ".repeat(57)}      5`,
      `Ирина 你好${" ".repeat(50)}  12345  said "yes", twice`,
      `${"x".repeat(59)}…         two lines`,
      "(3 rows)",
      "",
    ]);
  });

  it("is JSON, one row per line", () => {
    const lines = formatResult(result, "json").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(result.rows.map(([name, n, note]) => ({ name, n, note })));
  });

  it("is CSV by RFC 4180", () => {
    expect(formatResult(result, "csv")).toBe(
      `name,n,note\r\nann,5,\r\nИрина 你好,12345,"said ""yes"", twice"\r\n${"x".repeat(70)},,"two\nlines"\r\n`,
    );
  });

  it.each(["a,b", 'a"b', "a\nb", "a\rb"])("is CSV with quotes around %j", (value) => {
    expect(formatResult({ columns: ["v"], rows: [[value]] }, "csv")).toBe(`v\r\n"${value.replace('"', '""')}"\r\n`);
  });

  it("is empty for a statement without rows", () => {
    expect(formatResult({ columns: [], rows: [] }, "table")).toBe("");
  });
});

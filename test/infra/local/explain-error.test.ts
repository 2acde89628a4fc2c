import { describe, expect, it } from "vitest";
import { explainError } from "../../../infra/local/explain-error.ts";

const explain = (error: unknown) => explainError(error, { port: 3000, data: "/data" }).text;
const coded = (code: string, message = code) => Object.assign(new Error(message), { code });
const FULL = "no space is left on the disk of /data: free some, or use another directory with --data";

describe("the reason why the host does not start is one line", () => {
  it.each([
    [
      "a port that is taken",
      coded("EADDRINUSE"),
      "port 3000 is in use: stop what listens there, or choose another with --port",
    ],
    ["a full disk, by Node", coded("ENOSPC", "ENOSPC: no space left on device, write"), FULL],
    ["a full disk, by SQLite", new Error("x cannot be read", { cause: new Error("database or disk is full") }), FULL],
    [
      "a full disk, by esbuild",
      new Error("synthesis failed:\n✘ write /data/x: no space left on device\nand more"),
      FULL,
    ],
    [
      "a disk that fails",
      new Error("its last output: disk I/O error"),
      "the disk of /data cannot be written to, is it full? its last output: disk I/O error",
    ],
    ["anything else", new Error("no such file\n    at open (node:fs:1:2)"), "no such file"],
    ["what is no error", "odd", "odd"],
  ])("%s", (_, error, text) => {
    expect(explain(error)).toBe(text);
  });

  it("is the error of the CDK app, without the source and the stack trace that Node prints", () => {
    const printed = `file:///work/infra/stage.ts:7\n    throw new Error("x");\n    ^\n\nError: Context that does not fit:\n✖ bad\n    at readOptions (file:///work/infra/stage.ts:7:11)\n\nNode.js v24.21.0\n`;
    expect(explain(new Error(`synthesis failed (infra/app.ts ended with 1):\n${printed}`))).toBe(
      "synthesis failed (infra/app.ts ended with 1):\nContext that does not fit:\n✖ bad",
    );
  });

  it("keeps the rest for --verbose", () => {
    const error = new Error("no");
    expect(explainError(error, { port: 1, data: "." }).more).toBe(error.stack);
  });
});

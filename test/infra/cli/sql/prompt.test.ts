import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { prompt } from "../../../../infra/cli/sql/prompt.ts";

const [ENTER, UP, CTRL_C, CTRL_D] = ["\r", "\u001b[A", "\u0003", "\u0004"];

let directory: string;
let history: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-prompt-"));
  history = path.join(directory, "history");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A prompt at a fake terminal. It records the statements that `run` gets. */
function open() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = "";
  output.on("data", (piece) => {
    shown += piece;
  });
  const statements: string[] = [];
  const run = async (statement: string, write: (text: string) => void) => {
    statements.push(statement);
    if (statement.includes("selct")) throw new Error("no such thing");
    write(`answer ${statements.length}\n`);
  };
  const done = prompt(run, history, { input, output, errors: output, interactive: true });
  return {
    statements,
    done,
    shown: () => shown,
    /** Types keys, and waits until the prompt has read them. */
    async type(keys: string, until: string | RegExp): Promise<void> {
      shown = "";
      input.write(keys);
      await vi.waitFor(() => expect(shown).toMatch(until), { timeout: 20_000, interval: 5 });
    },
  };
}

describe("the prompt", () => {
  it("runs each statement at its semicolon, over several lines, and continues after a wrong one", async () => {
    const terminal = open();
    await terminal.type(`select 1;${ENTER}`, /answer 1\n[\s\S]*lake> /);
    await terminal.type(`select 2${ENTER}`, / {2}\.\.\. /);
    await terminal.type(`from messages;${ENTER}`, /answer 2\n[\s\S]*lake> /);
    await terminal.type(`selct;${ENTER}`, /no such thing\n[\s\S]*lake> /);
    await terminal.type(`select 3;${ENTER}`, /answer 4\n/);
    await terminal.type(CTRL_D, "\n");
    expect(await terminal.done).toBe(1);
    expect(terminal.statements).toEqual(["select 1;\n", "select 2\nfrom messages;\n", "selct;\n", "select 3;\n"]);
  });

  it("has a history of this run and earlier ones, in a file that only its owner can read", async () => {
    writeFileSync(history, "select 'older';\nselect 'old';\n");
    const first = open();
    await first.type(`${UP}${UP}${ENTER}`, /answer 1\n/);
    await first.type(`select 'new';${ENTER}`, /answer 2\n/);
    await first.type(CTRL_D, "\n");
    await first.done;
    expect(first.statements).toEqual(["select 'older';\n", "select 'new';\n"]);
    expect(readFileSync(history, "utf8")).toBe("select 'older';\nselect 'old';\nselect 'older';\nselect 'new';\n");

    rmSync(history);
    const other = open();
    await other.type(`select 1;${ENTER}`, /answer 1\n/);
    await other.type(`${UP}${ENTER}`, /answer 2\n/);
    await other.type(CTRL_D, "\n");
    await other.done;
    expect(other.statements).toEqual(["select 1;\n", "select 1;\n"]);
    expect(statSync(history).mode & 0o777).toBe(0o600);
  });

  it("keeps the last 500 lines", async () => {
    writeFileSync(history, Array.from({ length: 600 }, (_, n) => `select ${n};\n`).join(""));
    const terminal = open();
    await terminal.type(`select 'last';${ENTER}`, /answer 1\n/);
    await terminal.type(CTRL_D, "\n");
    await terminal.done;
    const lines = readFileSync(history, "utf8").trimEnd().split("\n");
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([500, "select 101;", "select 'last';"]);
  });

  it("drops the statement and the current line at Ctrl-C", async () => {
    const terminal = open();
    await terminal.type(`select 'wrong'${ENTER}`, / {2}\.\.\. /);
    await terminal.type("from here", /from here/);
    await terminal.type(CTRL_C, /\n[\s\S]*lake> /);
    await terminal.type(`select 'right';${ENTER}`, /answer 1\n/);
    await terminal.type(CTRL_D, "\n");
    await terminal.done;
    expect(terminal.statements).toEqual(["select 'right';\n"]);
  });
});

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { messageOf } from "../run-command.ts";

/** Lines to keep in the history. */
const HISTORY = 500;

interface Terminal {
  input: NodeJS.ReadableStream;
  output: NodeJS.WritableStream;
  /** The output of errors when the input is not a terminal. */
  errors: NodeJS.WritableStream;
  /** Whether a user types the input: then there is a prompt and a history. */
  interactive: boolean;
}

/**
 * Reads statements until the input ends, and runs each. A statement ends with a semicolon at the end of a line. Keeps typed lines in the
 * history file for the next prompt. Returns the number of statements that failed.
 */
export async function prompt(
  run: (sql: string, write: (text: string) => void) => Promise<void>,
  historyFile: string,
  { input, output, errors, interactive }: Terminal,
): Promise<number> {
  const history = existsSync(historyFile) ? readFileSync(historyFile, "utf8").split("\n").filter(Boolean) : [];
  const lines = createInterface({
    input,
    output,
    terminal: interactive,
    prompt: "lake> ",
    history: history.toReversed(),
    historySize: HISTORY,
    removeHistoryDuplicates: true,
  });
  let statement = "";
  let closed = false;
  let failed = 0;
  const ask = () => {
    lines.setPrompt(statement.trim() === "" ? "lake> " : "  ... ");
    // A file ends before its last statement has run.
    if (interactive && !closed) lines.prompt();
  };
  const execute = async () => {
    const text = statement;
    statement = "";
    if (text.trim() === "") return;
    try {
      await run(text, (result) => output.write(result));
    } catch (error) {
      failed++;
      (interactive ? output : errors).write(`${messageOf(error)}\n`);
    }
  };
  lines.on("close", () => {
    closed = true;
  });
  lines.on("SIGINT", () => {
    statement = "";
    // Delete the current line: from the cursor to its end, then from its beginning.
    lines.write(null, { ctrl: true, name: "e" });
    lines.write(null, { ctrl: true, name: "u" });
    output.write("\n");
    ask();
  });

  if (interactive) output.write("Statements end with ;   Ctrl-D ends.   Try: show tables;\n");
  ask();
  for await (const line of lines) {
    if (line.trim() !== "") history.push(line);
    statement += `${line}\n`;
    if (line.trimEnd().endsWith(";")) await execute();
    ask();
  }
  await execute();
  if (interactive) {
    output.write("\n");
    writeFileSync(historyFile, `${history.slice(-HISTORY).join("\n")}\n`, { mode: 0o600 });
  }
  return failed;
}

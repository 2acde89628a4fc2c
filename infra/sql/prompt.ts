import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** Statements that are remembered. */
const HISTORY = 500;

/**
 * Reads statements from the terminal, each to its semicolon, and prints what `run` gives for them, until the input ends.
 * What was typed is kept in a file for the next time.
 */
export async function prompt(run: (sql: string) => Promise<string>, historyFile: string): Promise<void> {
  const history = existsSync(historyFile) ? readFileSync(historyFile, "utf8").split("\n").filter(Boolean) : [];
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: "lake> ",
    history: history.toReversed(),
    historySize: HISTORY,
    removeHistoryDuplicates: true,
  });
  if (process.stdin.isTTY) process.stdout.write("Statements end with ;   Ctrl-D ends.   Try: show tables;\n");
  let statement = "";
  let closed = false;
  terminal.on("close", () => {
    closed = true;
  });
  terminal.on("SIGINT", () => {
    statement = "";
    process.stdout.write("\n");
    terminal.setPrompt("lake> ");
    terminal.prompt();
  });
  const ask = () => {
    // Input from a file is at its end long before its last statement has run.
    if (process.stdin.isTTY && !closed) terminal.prompt();
  };
  ask();
  for await (const line of terminal) {
    if (line.trim() !== "") history.push(line);
    statement += `${line}\n`;
    if (line.trimEnd().endsWith(";")) {
      process.stdout.write(await run(statement).catch((error: Error) => `${error.message}\n`));
      statement = "";
    }
    terminal.setPrompt(statement.trim() === "" ? "lake> " : "  ... ");
    ask();
  }
  if (statement.trim() !== "") process.stdout.write(await run(statement).catch((error: Error) => `${error.message}\n`));
  if (!process.stdin.isTTY) return;
  process.stdout.write("\n");
  writeFileSync(historyFile, `${history.slice(-HISTORY).join("\n")}\n`, { mode: 0o600 });
}

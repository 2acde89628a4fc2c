import path from "node:path";
import { type LogLine, splitStack } from "./lambda/log-line.ts";

/** Texts by which Node, SQLite, esbuild and the embedded engine report a full disk. */
const FULL_DISK = /ENOSPC|no space left on device|database or disk is full/;
/** SQLite reports a full disk this way at times, and also other disk failures. */
const FAILING_DISK = /disk I\/O error/;

/** Explains in one line why the host stops or does not start. `more` is the stack trace, for `--verbose`. */
export function explainError(error: unknown, { port, data }: { port: number; data: string }): LogLine {
  if (!(error instanceof Error)) return { text: String(error) };
  const { message, stack: more } = error;
  const all = causes(error);
  const says = (pattern: RegExp) => all.some(({ code, message }) => pattern.test(`${code} ${message}`));
  const disk = `the disk of ${path.resolve(data)}`;
  if (all[0]?.code === "EADDRINUSE") {
    return { text: `port ${port} is in use: stop what listens there, or choose another with --port`, more };
  }
  if (says(FULL_DISK)) {
    return { text: `no space is left on ${disk}: free some, or use another directory with --data`, more };
  }
  if (says(FAILING_DISK)) return { text: `${disk} cannot be written to, is it full? ${message}`, more };
  return { text: splitStack(withoutSource(message)).text, more };
}

/** An error and its chain of causes. */
function causes(error: unknown): NodeJS.ErrnoException[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

/** The output of a program that failed, without the source line that Node prints first. */
function withoutSource(message: string): string {
  return message.replace(/\n(?:file:\/\/)?\/[^\n]+:\d+\n[\s\S]*?\n *\^+\n+(?:\w*Error: )?/, "\n");
}

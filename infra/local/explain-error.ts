import path from "node:path";
import { type LogLine, splitStack } from "./lambda/log-line.ts";

/** How Node, SQLite, esbuild and the embedded engine say that a disk is full. */
const FULL_DISK = /ENOSPC|no space left on device|database or disk is full/;
/** What SQLite says at times when it is, and of other failures of a disk. */
const FAILING_DISK = /disk I\/O error/;

/** Says in a line why the host does not start or go on; what else there is to know is for `--verbose`. */
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

/** An error and what caused it, and so on. */
function causes(error: unknown): NodeJS.ErrnoException[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

/** What a program printed when it ended by an error, without the line of source that Node prints first. */
function withoutSource(message: string): string {
  return message.replace(/\n(?:file:\/\/)?\/[^\n]+:\d+\n[\s\S]*?\n *\^+\n+(?:\w*Error: )?/, "\n");
}
